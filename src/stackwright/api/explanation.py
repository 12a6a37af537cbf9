"""Where the time and the dollar of one operating point go, part by part."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackwright.api.documents import interval_document, offer_document, predict_document
from stackwright.catalog import Catalog, load_catalog
from stackwright.economics import usd_per_mtok
from stackwright.errors import UnsupportedError
from stackwright.performance import Candidate, Part
from stackwright.planner.offers.join import packing_on
from stackwright.planner.question import DEFAULT_CONTRACTS
from stackwright.serving.prediction import Interval, Prediction

Document = dict[str, Any]


def explain_document(p: Prediction, catalog: Catalog | None = None) -> Document:
    """The document of `explain --json`: a prediction, its steps part by part, the TTFT budget, and the dollar."""
    if p.pools is not None:
        raise UnsupportedError("explain does not cover prefill and decode pools yet: predict does")
    return {
        **predict_document(p),
        "cost": cost_document(p, catalog or load_catalog()),
    }


def cost_document(p: Prediction, catalog: Catalog) -> Document | None:
    """USD per million output tokens at the cheapest offer that holds the replica, by engine time; None if unpriced.

    Prompts take `prompt_time_share` of the engine's time, decoding the rest; each splits as its step does.
    """
    candidate = Candidate(catalog.engine(p.engine), catalog.chip(p.chip), p.layout)
    for offer, price in catalog.offers_for(p.chip, None, DEFAULT_CONTRACTS):
        packing = packing_on(candidate, offer)
        if packing is None:
            continue
        replicas = packing.smallest_replicas
        usd_per_hour = packing.units(replicas) * price.usd_per_hour / replicas
        tokens = p.metrics["output_tokens_per_s_per_chip"]
        chips = p.layout.n_chips
        total = usd_per_mtok(usd_per_hour, tokens.value * chips)
        low, high = (usd_per_mtok(usd_per_hour, t * chips) for t in (tokens.high, tokens.low))
        share = min(p.prompt_time_share, 1.0)
        return {
            "offer": offer_document(offer, price, price.regions[0]),
            "usd_per_replica_hour": usd_per_hour,
            "usd_per_mtok_output": interval_document(Interval(total, low, high)),
            "parts": [
                *_dollars("prompt", p.prompt_parts, p.prompt_step_s, share * total),
                *_dollars("decode", p.decode_parts, p.decode_step_s, (1.0 - share) * total),
            ],
        }
    return None


def _dollars(phase: str, parts: tuple[Part, ...], step_s: float, usd: float) -> list[Document]:
    return [
        {"phase": phase, "name": part.name, "usd_per_mtok_output": usd * _number(part.seconds) / step_s}
        for part in parts
    ]


def _number(value: object) -> float:
    return float(np.asarray(value).flat[0])
