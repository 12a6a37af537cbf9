r"""Where the rent of a deployment goes: prompts, decoding, headroom, idle chips; the four sum to the rent.

With rent R (USD/hour), idle share i = idle chips / rented chips, utilisation u = planned load / highest load that
keeps the promise, and p the share of engine time that prompts take at the planned load:

.. math::

    R = R\,i + R(1-i)(1-u) + R(1-i)\,p + R(1-i)(u-p)

p follows from the document's split by engine time: cost of the input tokens / rent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stackwright.web.words.numbers import figure, finite


@dataclass(frozen=True)
class Step:
    """One step of the waterfall; `meaning` is its definition in a sentence."""

    name: str
    usd_per_hour: float
    meaning: str


def waterfall(plan: dict[str, Any]) -> list[Step]:
    """The steps of a priced plan, in USD per hour; empty without a price."""
    rent = finite(plan.get("usd_per_hour"))
    if rent is None or rent <= 0.0:
        return []
    n_chips = finite(plan.get("n_chips")) or 0.0
    idle_share = _share((finite(plan.get("idle_chips")) or 0.0) / n_chips if n_chips else 0.0)
    utilisation = finite(plan.get("utilisation"))
    used = _share(1.0 if utilisation is None else utilisation)
    idle = rent * idle_share
    running = rent - idle
    headroom = running * (1.0 - used)
    prompt_share = _prompt_share(plan, rent)
    found = []
    if prompt_share is None:
        found.append(
            Step(
                "Serving",
                rent - idle - headroom,
                "Engine time the traffic needs; no split into prompts and decoding known.",
            )
        )
    else:
        prompt = running * min(prompt_share, used)
        found += [
            Step("Prompts (input)", prompt, "Engine time that prompts take at the planned load."),
            Step(
                "Decoding (output)",
                rent - idle - headroom - prompt,
                "The rest of the engine time the traffic needs when replicas are filled to the highest load that "
                "keeps the promise.",
            ),
        ]
    return [
        *found,
        Step(
            "Headroom",
            headroom,
            "Paid for but not needed by the planned load: 1 − utilisation, where 100 % is the highest load that keeps "
            "the promise. Whole replicas and whole rentals make it.",
        ),
        Step("Idle chips", idle, "Rented because the offer comes in whole units, but used by no replica."),
    ]


def _prompt_share(plan: dict[str, Any], rent: float) -> float | None:
    """Share of the rent that the document charges to input tokens by engine time."""
    by_time = finite(plan.get("usd_per_mtok_input_by_engine_time"))
    output, total = figure(plan.get("usd_per_mtok_output")).value, figure(plan.get("usd_per_mtok_total")).value
    if by_time is None or not output or not total:
        return None
    input_mtok_per_hour = rent / total - rent / output
    return _share(by_time * input_mtok_per_hour / rent)


def _share(x: float) -> float:
    return min(max(x, 0.0), 1.0)
