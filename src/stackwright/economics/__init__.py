"""Money and footprint: rent, ownership, dollars per token, energy and carbon. Knows no physics."""

from stackwright.economics.electricity import electricity_usd_per_hour
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
from stackwright.economics.penalty import Clause, Tier, expected_penalty_usd, parse_clause
from stackwright.economics.rent import Packing, rent_usd_per_hour
from stackwright.economics.tokens import TokenCost, token_cost, usd_per_mtok

__all__ = [
    "OWNED",
    "Clause",
    "Footprint",
    "OwnedCost",
    "Ownership",
    "Packing",
    "Tier",
    "TokenCost",
    "capital_recovery",
    "electricity_usd_per_hour",
    "expected_penalty_usd",
    "footprint",
    "owned_cost",
    "owned_offers",
    "owned_range",
    "ownership",
    "parse_clause",
    "rent_usd_per_hour",
    "token_cost",
    "usd_per_mtok",
]
