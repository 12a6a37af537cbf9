"""Money and footprint: rent, ownership, dollars per token, energy and carbon. Knows no physics."""

from stackwright.economics.footprint import Footprint, footprint
from stackwright.economics.own import (
    OWNED,
    OwnedCost,
    Ownership,
    capital_recovery,
    owned_cost,
    owned_offers,
    owned_range,
    ownership,
)
from stackwright.economics.rent import Packing, rent_usd_per_hour
from stackwright.economics.tokens import TokenCost, token_cost, usd_per_mtok

__all__ = [
    "OWNED",
    "Footprint",
    "OwnedCost",
    "Ownership",
    "Packing",
    "TokenCost",
    "capital_recovery",
    "footprint",
    "owned_cost",
    "owned_offers",
    "owned_range",
    "ownership",
    "rent_usd_per_hour",
    "token_cost",
    "usd_per_mtok",
]
