"""How capacity is got where it is not simply there: booking ahead, quotas, notice of interruption."""

from __future__ import annotations

from functools import cache
from importlib import resources

import yaml
from pydantic import Field

from stackwright.catalog.records import Chip, Contract, Offer, Price, Sourced


class Availability(Sourced):
    """A seller's rule for the offers whose provider, contract and chip family match; empty matches any."""

    provider: str
    contract: Contract | None = None
    family: str = ""
    text: str = Field(min_length=3)


def availability_of(offer: Offer, price: Price, chip: Chip) -> tuple[Availability, ...]:
    """What is known of getting this capacity; empty where nothing was read, which does not mean that it is there."""
    return tuple(
        a
        for a in _shipped()
        if a.provider == offer.provider and a.contract in (None, price.contract) and a.family in ("", chip.family)
    )


@cache
def _shipped() -> tuple[Availability, ...]:
    text = resources.files(__package__).joinpath("data/availability.yaml").read_text(encoding="utf-8")
    return tuple(Availability.model_validate(entry) for entry in yaml.safe_load(text)["notes"])
