r"""Normal equations of the hierarchical fit, in the arrow form that nested levels give them.

Shifts of local levels (a pair, a network under one engine, ...) meet only inside their component, and all meet the
shared ones: blocks A_c on the diagonal, B_c beside them, S shared. They are eliminated by the Schur complement
:math:`S - \sum_c B_c^T A_c^{-1} B_c` (Golub and Van Loan, Matrix Computations, section 4.2), which solves some
thousand shifts at the price of the shared ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Pattern:
    """Rows that belong to the same groups: `rows`, the active groups' free shifts as (group, constant) pairs.

    `component` is the block that the local shifts among them belong to; `local` and `shared` are positions of these
    shifts inside the block and inside the shared matrix, `of_local` and `of_shared` their positions among the pairs.
    """

    rows: Rows
    groups: Rows
    constants: Rows
    component: int
    of_local: Rows
    local: Rows
    of_shared: Rows
    shared: Rows


@dataclass(frozen=True)
class Structure:
    """Where each free shift of a design lies: `own[c]` are the free shifts of block c, `shared` the others.

    Positions count the free shifts in the order of `sd > 0` flattened. `reach[c]` are the positions inside the shared
    matrix that block c meets.
    """

    size: int
    own: tuple[Rows, ...]
    shared: Rows
    reach: tuple[Rows, ...]
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True)
class Arrow:
    """The matrix (`blocks[c]`, `borders[c]`, `shared`) and the gradient, shape (free shifts,)."""

    structure: Structure
    blocks: tuple[Array, ...]
    borders: tuple[Array, ...]
    shared: Array
    gradient: Array

    @property
    def diagonal(self) -> Array:
        """The diagonal, shape (free shifts,)."""
        found = np.empty(self.structure.size)
        found[self.structure.shared] = np.diag(self.shared)
        for own, block in zip(self.structure.own, self.blocks, strict=True):
            found[own] = np.diag(block)
        return found

    def solve(self, right: Array, added: Array) -> Array:
        """The solution of (matrix + diag(added)) x = right."""
        s = self.structure
        schur, rest = self.shared + np.diag(added[s.shared]), right[s.shared].copy()
        halves = []
        for own, reach, block, border in zip(s.own, s.reach, self.blocks, self.borders, strict=True):
            both = np.linalg.solve(block + np.diag(added[own]), np.column_stack([border, right[own]]))
            schur[np.ix_(reach, reach)] -= border.T @ both[:, :-1]
            rest[reach] -= border.T @ both[:, -1]
            halves.append(both)
        found = np.empty(s.size)
        found[s.shared] = np.linalg.solve(schur, rest)
        for own, reach, both in zip(s.own, s.reach, halves, strict=True):
            found[own] = both[:, -1] - both[:, :-1] @ found[s.shared[reach]]
        return found

    def inverse_diagonal(self, added: Array) -> Array:
        """The diagonal of the inverse of matrix + diag(added)."""
        s = self.structure
        schur = self.shared + np.diag(added[s.shared])
        halves = []
        for own, reach, block, border in zip(s.own, s.reach, self.blocks, self.borders, strict=True):
            inverse = np.linalg.inv(block + np.diag(added[own]))
            across = inverse @ border
            schur[np.ix_(reach, reach)] -= border.T @ across
            halves.append((np.diag(inverse), across))
        covariance = np.linalg.inv(schur)
        found = np.empty(s.size)
        found[s.shared] = np.diag(covariance)
        for own, reach, (alone, across) in zip(s.own, s.reach, halves, strict=True):
            found[own] = alone + np.einsum("ij,jk,ik->i", across, covariance[np.ix_(reach, reach)], across)
        return found


def structure(x: Array, sd: Array, local: Sequence[bool]) -> Structure:
    """The structure of a design: `x` (n, G) membership, `sd` (G, K) with 0 = not free, `local` (G,) flags."""
    free = sd > 0.0
    place = np.where(free, np.cumsum(free.ravel()).reshape(free.shape) - 1, -1)
    member = x != 0.0
    _, which = np.unique(member, axis=0, return_inverse=True)
    which = np.ravel(which)
    order = np.argsort(which, kind="stable")
    parts = np.split(order, np.nonzero(np.diff(which[order]))[0] + 1)
    active = [np.nonzero(member[rows[0]])[0] for rows in parts]
    flags = np.asarray(local, dtype=bool)
    component = _components([[int(g) for g in groups if flags[g]] for groups in active], len(flags))
    numbers = {root: i for i, root in enumerate(sorted({component[g] for g in np.nonzero(flags)[0]}))}
    own: list[list[int]] = [[] for _ in numbers]
    shared: list[int] = []
    for g in range(len(flags)):
        (own[numbers[component[g]]] if flags[g] else shared).extend(int(p) for p in place[g][free[g]])
    position = np.empty(int(free.sum()), dtype=np.intp)
    for positions in (*own, shared):
        position[positions] = np.arange(len(positions))
    patterns, reach = [], [set[int]() for _ in own]
    for rows, groups in zip(parts, active, strict=True):
        owner, constant = np.nonzero(free[groups])
        pairs = groups[owner]
        at, is_local = position[place[pairs, constant]], flags[pairs]
        of_local, of_shared = np.nonzero(is_local)[0], np.nonzero(~is_local)[0]
        c = numbers[component[int(pairs[of_local[0]])]] if len(of_local) else -1
        if c >= 0:
            reach[c].update(at[of_shared].tolist())
        patterns.append(Pattern(rows, pairs, constant, c, of_local, at[of_local], of_shared, at[of_shared]))
    return Structure(
        size=int(free.sum()),
        own=tuple(np.array(o, dtype=np.intp) for o in own),
        shared=np.array(shared, dtype=np.intp),
        reach=tuple(np.array(sorted(r), dtype=np.intp) for r in reach),
        patterns=tuple(patterns),
    )


def _components(together: Sequence[Sequence[int]], n: int) -> list[int]:
    """The root of each of `n` groups when those in one list are joined."""
    root = list(range(n))

    def find(g: int) -> int:
        while root[g] != g:
            root[g] = root[root[g]]
            g = root[g]
        return g

    for groups in together:
        for g in groups[1:]:
            root[find(g)] = find(groups[0])
    return [find(g) for g in range(n)]


def normal_equations(s: Structure, x: Array, jacobian: Array, weights: Array, residuals: Array) -> Arrow:
    """Gauss-Newton matrix and gradient of the free shifts.

    `jacobian` (K, m, n) is d residual / d constant; `weights` and `residuals` (m, n), weight 0 = not measured.
    """
    blocks = [np.zeros((len(own), len(own))) for own in s.own]
    borders = [np.zeros((len(own), len(reach))) for own, reach in zip(s.own, s.reach, strict=True)]
    shared, gradient = np.zeros((len(s.shared), len(s.shared))), np.zeros(s.size)
    for p in s.patterns:
        matrix, slope = _products(p, x, jacobian, weights, residuals)
        shared[np.ix_(p.shared, p.shared)] += matrix[np.ix_(p.of_shared, p.of_shared)]
        gradient[s.shared[p.shared]] += slope[p.of_shared]
        if p.component >= 0:
            across = np.searchsorted(s.reach[p.component], p.shared)
            blocks[p.component][np.ix_(p.local, p.local)] += matrix[np.ix_(p.of_local, p.of_local)]
            borders[p.component][np.ix_(p.local, across)] += matrix[np.ix_(p.of_local, p.of_shared)]
            gradient[s.own[p.component][p.local]] += slope[p.of_local]
    return Arrow(s, tuple(blocks), tuple(borders), shared, gradient)


def _products(p: Pattern, x: Array, jacobian: Array, weights: Array, residuals: Array) -> tuple[Array, Array]:
    """J^T W J and J^T W r of one pattern's rows, in its own shifts."""
    matrix, slope = np.zeros((len(p.groups), len(p.groups))), np.zeros(len(p.groups))
    for m in range(residuals.shape[0]):
        used = p.rows[weights[m, p.rows] > 0.0]
        if len(used):
            j = x[np.ix_(used, p.groups)] * jacobian[p.constants, m][:, used].T
            weighted = j * weights[m, used][:, None]
            matrix += weighted.T @ j
            slope += weighted.T @ residuals[m, used]
    return matrix, slope
