"""Energy and carbon of a deployment at the utility meter."""

from __future__ import annotations

from dataclasses import dataclass

from stackwright.units import JOULES_PER_KWH, TOKENS_PER_MTOK


@dataclass(frozen=True)
class Footprint:
    """Watts at the meter, joules per output token, kg CO2e and litres of water per million output tokens."""

    facility_w: float
    joules_per_output_token: float
    kgco2_per_mtok_output: float | None
    litres_per_mtok_output: float | None


def footprint(
    it_w: float,
    pue: float,
    output_tokens_per_s: float,
    carbon_g_per_kwh: float | None = None,
    water_l_per_kwh: float | None = None,
) -> Footprint:
    """Footprint of `it_w` watts of IT load in a site of that PUE (facility power / IT power).

    Carbon is location-based: grid average, not market instruments. Water is on site (WUE x IT energy).
    """
    facility = it_w * pue
    joules = facility / output_tokens_per_s
    kwh_per_mtok = joules * TOKENS_PER_MTOK / JOULES_PER_KWH
    return Footprint(
        facility_w=facility,
        joules_per_output_token=joules,
        kgco2_per_mtok_output=None if carbon_g_per_kwh is None else kwh_per_mtok * carbon_g_per_kwh / 1000.0,
        litres_per_mtok_output=None if water_l_per_kwh is None else kwh_per_mtok / pue * water_l_per_kwh,
    )
