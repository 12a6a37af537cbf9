"""What of a stack exists elsewhere, counted in the catalogue."""

from __future__ import annotations

from collections.abc import Sequence

from stackwright.catalog import Catalog, Chip, Engine
from stackwright.economics.lock_in import Elsewhere, LockIn, lock_in
from stackwright.planner.answer import Stack

SAME_CLASS = 2.0  # definition: BF16 rate and memory capacity both within this factor


def stack_lock_in(stack: Stack, catalog: Catalog, sellers: Sequence[str] | None = None) -> LockIn:
    """The lock-in of a rented stack; `sellers`: API sellers of the same model, None where nobody looked."""
    return lock_in(_elsewhere(stack, catalog, sellers), stack.price.contract if stack.price else "")


def same_class(chip: Chip, catalog: Catalog) -> list[Chip]:
    """Chips of other makers, sold today, whose BF16 rate and memory are both within a factor of two."""

    def near(a: float, b: float) -> bool:
        return 1.0 / SAME_CLASS <= a / b <= SAME_CLASS

    return [
        c
        for c in catalog.chips.values()
        if c.vendor != chip.vendor
        and c.status in ("shipping", "legacy")
        and not c.unpublished
        and near(c.rates.bf16, chip.rates.bf16)
        and near(c.store.capacity_bytes, chip.store.capacity_bytes)
    ]


def _elsewhere(stack: Stack, catalog: Catalog, sellers: Sequence[str] | None) -> Elsewhere:
    chip, engine, precision = stack.chip, stack.engine, stack.layout.weight_precision
    here = stack.offer.provider if stack.offer else ""
    providers = sorted({o.provider for o in catalog.offers.values() if o.chip == chip.id} - {here})
    engines = sorted({e.id for e in catalog.engines.values() if _runs(e, chip)} - {engine.id})
    makers = {c.family: c.vendor for c in catalog.chips.values()}
    runs_on = {makers[f] for s in engine.supports for f in s.families if f in makers}
    loads_on = {
        makers[f]
        for e in catalog.engines.values()
        for s in e.supports
        if precision in s.weights
        for f in s.families
        if f in makers
    }
    return Elsewhere(
        weights_open=True,
        providers=tuple(providers),
        similar_chips=tuple(sorted(c.id for c in same_class(chip, catalog))),
        engines=tuple(engines),
        engine_makers=tuple(sorted(runs_on - {chip.vendor})),
        checkpoint_makers=tuple(sorted(loads_on - {chip.vendor})),
        sellers=None if sellers is None else tuple(sellers),
    )


def _runs(engine: Engine, chip: Chip) -> bool:
    return any(chip.family in s.families for s in engine.supports)
