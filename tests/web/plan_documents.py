"""Small plan documents of the shape that `stackwright.api.plan_document` makes."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]


def interval(value: float, spread: float = 1.4) -> Document:
    return {"value": value, "low": value / spread, "high": value * spread}


def offer(provider: str = "runpod", usd: float = 6.0, **changes: object) -> Document:
    return {
        "id": f"{provider}/box", "provider": provider, "instance": "box", "chips": 1, "unit": "chip",
        "contract": "on_demand", "region": "unspecified", "usd_per_unit_hour": usd, "usd_per_chip_hour": usd,
        "price_date": "2026-06-15", "price_age_days": 12, "price_confidence": "datasheet",
        "price_source": "a price list", **changes,
    }  # fmt: skip


def plan(rank: int = 1, chip: str = "b200-hgx", usd: float | None = 6.0, **changes: object) -> Document:
    """One plan; without `usd` one that has no offer."""
    per_mtok = None if usd is None else usd / 15.0
    found: Document = {
        "rank": rank,
        "stack": {
            "model": "acme/Thinker-32B", "checkpoint": "acme/Thinker-32B-FP4", "engine": "vllm",
            "engine_version": "0.26.0", "chip": chip, "chip_name": f"NVIDIA {chip.upper()} 180 GB", "vendor": "NVIDIA",
            "layout": {
                "n_chips": 1, "tp": 1, "pp": 1, "ep": 1, "attention_dp": 1, "weight_precision": "nvfp4",
                "kv_precision": "fp8", "mode": "aggregated", "description": "tp1",
            },
            "system": None, "offer": None if usd is None else offer(usd=usd),
        },
        "replicas": 3, "units": 1, "n_chips": 4, "idle_chips": 1, "p_meets_slo": 0.97, "meets_slo": True,
        "tied_with_first": rank <= 2, "usd_per_hour": usd,
        "usd_per_mtok_output": per_mtok and interval(per_mtok),
        "usd_per_mtok_total": per_mtok and interval(per_mtok / 6.0),
        "usd_per_mtok_input_by_engine_time": per_mtok and per_mtok / 20.0,
        "usd_per_mtok_output_by_engine_time": per_mtok and per_mtok * 0.75,
        "usd_per_mtok_output_full_load": per_mtok and per_mtok * 0.6, "utilisation": 0.6,
        "joules_per_output_token": interval(0.39), "kgco2_per_mtok": interval(0.04), "facility_watts": 1650.0,
        "ttft_mean_s": interval(0.07), "ttft_p95_s": interval(0.13), "tpot_mean_s": interval(0.0115),
        "tpot_p95_s": interval(0.0127), "e2e_mean_s": interval(2.5), "e2e_p95_s": interval(6.1),
        "output_tokens_per_s_per_chip": interval(4220.0), "total_tokens_per_s_per_chip": interval(27320.0),
        "requests_per_s_per_replica": interval(20.0), "max_num_seqs": 72, "other_contracts": [],
        "launch": {"command": "vllm serve acme/Thinker-32B \\\n  --port 8000\n", "engine_version": "0.26.0",
                   "env": {}, "files": {}, "note": ""},
        "why": "TPOT is the tighter promise at 25% of its limit", "notes": ["price is 12 days old"],
        "sources": ["chip: a data sheet, 2026-03-31", "price: a price list (2026-06-15, datasheet)"],
        **changes,
    }  # fmt: skip
    return found


def front(chip: str = "b200-hgx", vendor: str = "NVIDIA", n: int = 5) -> list[Document]:
    return [
        {
            "chip": chip, "vendor": vendor, "engine": "vllm", "layout": "tp1", "weight_precision": "nvfp4",
            "provider": "runpod", "tokens_per_s_per_user": 10.0 * 2**i, "usd_per_mtok_output": 0.2 * 1.6**i,
            "concurrency": 256.0 / 2**i, "on_front": i % 2 == 0, "meets_slo": i > 0,
        }
        for i in range(n)
    ]  # fmt: skip


def document(**changes: object) -> Document:
    """A document with two plans and a front."""
    found: Document = {
        "question": {
            "model": "acme/Thinker-32B",
            "workload": {
                "name": "chat", "input_tokens_mean": 1155.0, "output_tokens_mean": 211.0, "prefix_hit_rate": 0.0,
                "requests_per_s": 20.0, "concurrency": None, "rounds": None, "arrival_cv": 1.0,
                "description": "in log-normal, mean 1155 tokens", "source": "a public trace",
            },
            "slo": {"ttft_s": 1, "tpot_s": 0.05, "percentile": 95.0, "description": "p95 TTFT <= 1000 ms"},
            "objective": "usd_per_mtok_output", "per": "chip", "chips": [], "vendors": [], "clouds": [], "engines": [],
            "regions": [], "contracts": ["on_demand"], "precisions": [], "max_usd_per_hour": None, "max_chips": None,
        },
        "evaluated": 19496, "cpu_s": 0.57, "elapsed_s": 0.57,
        "plans": [plan(), plan(2, "mi300x", 9.0)],
        "unpriced": [],
        "assumptions": ["constants are uncalibrated: intervals are wide", "percentiles are unvalidated"],
        "rejected_by_reason": {"does not fit": 2},
        "rejected": [{"stack": {"chip": "l4", "engine": "vllm", "layout": "bf16 tp1"}, "reason": "does not fit"}],
        "front": front() + front("mi300x", "AMD"),
        **changes,
    }  # fmt: skip
    return found
