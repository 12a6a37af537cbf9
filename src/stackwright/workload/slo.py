"""The promise: how soon the first token comes and how fast the others follow."""

from __future__ import annotations

from dataclasses import dataclass

from stackwright.errors import InputError
from stackwright.workload.checks import number, positive


@dataclass(frozen=True, slots=True)
class SLO:
    """Latency limits in seconds that `percentile` per cent of requests must keep; None = no limit.

    TTFT runs from request sent to first token; TPOT is (last - first token time) / (output tokens - 1), so it
    excludes TTFT. `percentile` is above 50 and at most 99.9; a promise on the mean is not supported because
    it says nothing about the slow requests.
    """

    ttft_s: float | None = None
    tpot_s: float | None = None
    percentile: float = 95.0

    def __post_init__(self) -> None:
        if self.ttft_s is not None:
            positive(self.ttft_s, "TTFT limit (seconds)")
        if self.tpot_s is not None:
            positive(self.tpot_s, "TPOT limit (seconds)")
        percentile = number(self.percentile, "SLO percentile")
        if not 50.0 < percentile <= 99.9:
            raise InputError(f"SLO percentile must be above 50 and at most 99.9, got {percentile:g}")

    @property
    def is_open(self) -> bool:
        """True when nothing is promised."""
        return self.ttft_s is None and self.tpot_s is None

    def describe(self) -> str:
        """One short phrase for a report.

        >>> SLO(ttft_s=0.5, tpot_s=0.03).describe()
        'p95 TTFT <= 500 ms, p95 TPOT <= 30 ms'
        """
        limits = [("TTFT", self.ttft_s), ("TPOT", self.tpot_s)]
        parts = [f"p{self.percentile:g} {name} <= {s * 1e3:g} ms" for name, s in limits if s is not None]
        return ", ".join(parts) or "no latency promise"
