"""Dollars per million tokens.

`usd_per_mtok_output` charges all cost to output tokens; `usd_per_mtok_total` spreads it over input and output tokens
alike; a split between input and output is by engine time and says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from stackwright.units import SECONDS_PER_HOUR, TOKENS_PER_MTOK

Number = TypeVar("Number", float, NDArray[np.float64])


@dataclass(frozen=True)
class TokenCost:
    """USD per million tokens under each definition.

    `input_by_time` and `output_by_time` split the cost by the engine time that prompts and decoding take; prompt
    time over input tokens, the rest over output tokens.
    """

    output: float
    total: float
    input_by_time: float
    output_by_time: float


def usd_per_mtok(usd_per_hour: Number, tokens_per_s: Number) -> Number:
    """USD per million tokens at `tokens_per_s` tokens per second.

    >>> round(usd_per_mtok(3.6, 1000.0), 6)
    1.0
    """
    return usd_per_hour / (tokens_per_s * SECONDS_PER_HOUR / TOKENS_PER_MTOK)


def token_cost(
    usd_per_hour: float, input_tokens_per_s: float, output_tokens_per_s: float, prompt_time_share: float
) -> TokenCost:
    """Cost per million tokens; `prompt_time_share` is the share of engine time that prompts take (0 to 1)."""
    share = min(max(prompt_time_share, 0.0), 1.0)
    return TokenCost(
        output=usd_per_mtok(usd_per_hour, output_tokens_per_s),
        total=usd_per_mtok(usd_per_hour, input_tokens_per_s + output_tokens_per_s),
        input_by_time=usd_per_mtok(usd_per_hour * share, input_tokens_per_s),
        output_by_time=usd_per_mtok(usd_per_hour * (1.0 - share), output_tokens_per_s),
    )
