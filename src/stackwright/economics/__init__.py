"""Money and footprint: rent, dollars per token, energy and carbon. Knows no physics."""

from stackwright.economics.footprint import Footprint, footprint
from stackwright.economics.rent import Packing, rent_usd_per_hour
from stackwright.economics.tokens import TokenCost, token_cost, usd_per_mtok

__all__ = [
    "Footprint",
    "Packing",
    "TokenCost",
    "footprint",
    "rent_usd_per_hour",
    "token_cost",
    "usd_per_mtok",
]
