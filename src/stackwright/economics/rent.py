"""Dollars per hour of a rented deployment: whole instances, whole racks, never fractions of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stackwright.errors import InputError


@dataclass(frozen=True)
class Packing:
    """How replicas of `replica_chips` chips sit on rentable units of `unit_chips` chips."""

    replica_chips: int
    unit_chips: int

    def __post_init__(self) -> None:
        if self.replica_chips < 1 or self.unit_chips < 1:
            raise InputError("a replica and a rentable unit need at least one chip each")

    @property
    def replicas_per_unit(self) -> int:
        """Replicas that fit one unit; 0 when one replica spans several."""
        return self.unit_chips // self.replica_chips

    @property
    def units_per_replica(self) -> int:
        """Units that one replica takes when it does not share."""
        return math.ceil(self.replica_chips / self.unit_chips)

    @property
    def smallest_replicas(self) -> int:
        """Replicas that fill the smallest rentable deployment."""
        return max(self.replicas_per_unit, 1)

    def units(self, replicas: int) -> int:
        """Whole units to rent for `replicas` replicas."""
        if self.replicas_per_unit:
            return math.ceil(replicas / self.replicas_per_unit)
        return replicas * self.units_per_replica

    def filled(self, replicas: int) -> int:
        """Replicas that the units rented for `replicas` hold: those already paid for are used."""
        return self.units(replicas) * self.replicas_per_unit if self.replicas_per_unit else replicas

    def idle_chips(self, replicas: int) -> int:
        """Chips rented but not used by any replica."""
        return self.units(replicas) * self.unit_chips - replicas * self.replica_chips


def rent_usd_per_hour(units: int, unit_usd_per_hour: float) -> float:
    """USD per hour of `units` whole units."""
    return units * unit_usd_per_hour
