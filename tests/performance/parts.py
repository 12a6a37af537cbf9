"""Chips, engines and candidates for the tests, independent of the catalogue's data."""

from __future__ import annotations

from typing import Any

from stackwright.catalog.records import Chip, Compute, Engine, Link, Memory, Power, Scheduler, Support
from stackwright.llm import Model, parse_config
from stackwright.performance import Candidate, Candidates, Layout, candidates
from stackwright.performance.constants import prior_constants

_SOURCE: dict[str, Any] = {"source": "round figures for tests", "confidence": "assumption"}
TP8 = Layout(tp=8, weight_precision="fp8", kv_precision="fp8")


def chip(chip_id: str = "test-80", **changes: float) -> Chip:
    """A chip of 80 GB, 3.3 TB/s, 1 and 2 PFLOP/s (BF16, FP8), 450 GB/s in a domain of 8."""
    f = {"gb": 80.0, "bandwidth": 3.3e12, "bf16": 1e15, "link": 450e9, "domain": 8, "tdp": 700.0} | changes
    return Chip(
        id=chip_id,
        name=chip_id,
        vendor="none",
        family="hopper",
        status="shipping",
        compute=Compute(bf16=f["bf16"], fp8=2 * f["bf16"], int8=2 * f["bf16"], fp4=f.get("fp4"), **_SOURCE),
        memory=Memory(capacity_bytes=f["gb"] * 1e9, bandwidth_bytes_per_s=f["bandwidth"], **_SOURCE),
        link=Link(
            scale_up_bytes_per_s=f["link"],
            scale_up_domain=int(f["domain"]),
            scale_up_kind="nvlink",
            scale_out_bytes_per_s=50e9,
            **_SOURCE,
        ),
        power=Power(tdp_w=f["tdp"], **_SOURCE),
    )


_OF_ENGINE = ("max_batched_tokens", "max_sequences", "memory_fraction_of")


def engine(policy: str = "prefill_priority", **changes: Any) -> Engine:
    """An engine that runs everything; 8,192 tokens per step, 1,024 sequences, 90 % of the memory."""
    scheduler = {"max_batched_tokens": 8192, "max_sequences": 1024, "memory_fraction": 0.9} | changes
    weights = ("bf16", "fp8", "nvfp4", "mxfp4", "int8", "int4")
    return Engine(
        id="test-engine",
        name="test engine",
        version="1",
        supports=(Support(families=("hopper",), weights=weights, kv=("bf16", "fp8")),),
        scheduler=Scheduler(policy=policy, kv_block_tokens=16, prefix_cache=True, **scheduler, **_SOURCE),
        architectures=("dense", "moe", "mla", "sliding"),
        **_SOURCE,
    )


def model(config: dict[str, Any], name: str = "model") -> Model:
    return parse_config(config, name)


def one(m: Model, layout: Layout = Layout(), policy: str = "prefill_priority", **changes: Any) -> Candidates:
    """One candidate; changes of chip and engine by keyword."""
    of_engine = {k: changes.pop(k) for k in list(changes) if k in _OF_ENGINE}
    entry = Candidate(engine(policy, **of_engine), chip(**changes), layout)
    return candidates(m, [entry], prior_constants())
