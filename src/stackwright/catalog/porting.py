"""What moving a service touches and takes: labelled assumptions, to be replaced by the user's own figure."""

from __future__ import annotations

from functools import cache

from pydantic import Field, ValidationError

from stackwright.catalog.records import Record, Sourced
from stackwright.catalog.yaml_files import DATA, read_yaml
from stackwright.errors import CatalogError

FILE = DATA / "porting.yaml"


class Range(Record):
    """A low and a high end."""

    low: float = Field(gt=0)
    high: float = Field(gt=0)


class Step(Record):
    """A kind of move: engineer-days and what has to be touched."""

    id: str
    name: str
    engineer_days: Range
    touches: tuple[str, ...]


class Porting(Sourced):
    """Kinds of move, and what an engineer's day costs (USD)."""

    engineer_day_usd: Range
    steps: tuple[Step, ...]

    def step(self, identifier: str) -> Step:
        """The step of an id."""
        return next(s for s in self.steps if s.id == identifier)

    def usd(self, step: Step) -> tuple[float, float]:
        """USD of a step, low and high."""
        day = self.engineer_day_usd
        return step.engineer_days.low * day.low, step.engineer_days.high * day.high


@cache
def porting() -> Porting:
    """The shipped file. Raises `CatalogError` with the field where it is broken."""
    try:
        return Porting.model_validate(read_yaml(FILE))
    except ValidationError as error:
        first = error.errors()[0]
        raise CatalogError(f"{FILE}: {'.'.join(str(p) for p in first['loc'])}: {first['msg']}") from None
