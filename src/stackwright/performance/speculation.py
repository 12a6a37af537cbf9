r"""Speculative decoding: a draft proposes tokens, the model verifies them all in one step.

With d drafted tokens per step of which the first wrong one ends the run, a step emits between 1 and d + 1 tokens.
Where each drafted token is accepted with probability p, independently, the mean (acceptance length) is

.. math:: a = 1 + p + p^2 + \dots + p^d = \frac{1 - p^{d+1}}{1 - p}

(Leviathan, Kalman, Matias, Fast Inference from Transformers via Speculative Decoding, ICML 2023, eq. 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.errors import InputError
from stackwright.llm import Model

Array = NDArray[np.float64]

METHODS = ("mtp", "eagle", "ngram", "draft-model")
LONGEST_DRAFT = 64
_HAS_LAYER = frozenset({"mtp", "eagle"})


@dataclass(frozen=True)
class Speculation:
    """How tokens are drafted: `draft_tokens` per step, and the mean tokens emitted per step (`acceptance_length`).

    Without an acceptance length the constant `draft_acceptance` gives it. `draft_cost`: time of one draft pass as a
    share of a step without speculation; by default that of one layer and the head (mtp, eagle) or nothing (ngram).
    """

    method: str
    draft_tokens: int
    acceptance_length: float | None = None
    draft_cost: float | None = None

    @property
    def own_layer(self) -> bool:
        """Whether the draft is a layer beside the model's own, with weights and cache."""
        return self.method in _HAS_LAYER

    def __str__(self) -> str:
        accepted = "" if self.acceptance_length is None else f", {self.acceptance_length:g} accepted per step"
        return f"{self.method}, {self.draft_tokens} draft tokens{accepted}"


def check_speculation(s: Speculation, model: Model) -> None:
    """Raise `InputError` naming the first thing about the speculation that cannot be."""
    if s.method not in METHODS:
        raise InputError(f"unknown speculative method {s.method!r}; known: {', '.join(METHODS)}")
    if not 1 <= s.draft_tokens <= LONGEST_DRAFT:
        raise InputError(f"draft tokens must be from 1 to {LONGEST_DRAFT}, not {s.draft_tokens}")
    most = s.draft_tokens + 1
    if s.acceptance_length is not None and not 1.0 <= s.acceptance_length <= most:
        raise InputError(
            f"acceptance length {s.acceptance_length:g} is not from 1 to {most}: "
            f"a step emits one token of its own and at most the {s.draft_tokens} drafted ones"
        )
    if s.draft_cost is not None and not (math.isfinite(s.draft_cost) and s.draft_cost >= 0.0):
        raise InputError(f"draft cost must be a share of a step, 0 or more, not {s.draft_cost:g}")
    if s.method == "mtp" and not model.prediction_modules:
        raise InputError(f"{model.id} has no multi-token-prediction module: use another method than mtp")
    if s.method == "draft-model" and s.draft_cost is None:
        raise InputError("a draft model needs its draft cost: time of one pass as a share of a step of the model")


def acceptance_length(probability: Array | float, draft_tokens: Array | float) -> Array:
    """Mean tokens that a step emits when each of `draft_tokens` is accepted with `probability` in [0, 1).

    >>> float(acceptance_length(0.5, 2.0))
    1.75
    """
    p = np.asarray(probability)
    emitted: Array = (1.0 - p ** (np.asarray(draft_tokens) + 1.0)) / (1.0 - p)
    return emitted
