"""When requests arrive: independent Gamma-distributed gaps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stackwright.workload.checks import at_least, positive

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Arrivals:
    """An open arrival process: `rate_per_s` requests per second, gaps with coefficient of variation `cv`.

    Gaps follow a Gamma law with shape 1/cv^2 and scale cv^2/rate. cv = 1 is Poisson, above 1 bursty, 0 evenly
    spaced. It is the process of `vllm bench serve`, whose `--burstiness` is the Gamma *shape* (1/cv^2), so
    that there a lower figure is burstier.

    >>> Arrivals(2.0, cv=2.0).burstiness
    0.25
    """

    rate_per_s: float
    cv: float = 1.0

    def __post_init__(self) -> None:
        positive(self.rate_per_s, "request rate (per second)")
        at_least(self.cv, 0.0, "arrival cv")

    @property
    def burstiness(self) -> float:
        """The Gamma shape 1/cv^2 under vLLM's name; infinite when evenly spaced."""
        return math.inf if self.cv == 0 else 1.0 / self.cv**2

    def gaps(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """`n` times between arrivals in seconds, shape (n,)."""
        import numpy as np

        if self.cv == 0:
            return np.full(n, 1.0 / self.rate_per_s)
        shape = 1.0 / self.cv**2
        return rng.gamma(shape, 1.0 / (shape * self.rate_per_s), n)

    def sample(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """`n` arrival times in seconds from a start at 0, never falling, shape (n,)."""
        return self.gaps(rng, n).cumsum()
