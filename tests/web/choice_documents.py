"""Small documents of the shapes that `stackwright.api.choice_document` and `comparison_document` make."""

from __future__ import annotations

from typing import Any

from tests.web.plan_documents import document, interval, plan

Document = dict[str, Any]


def lock_in(**changes: object) -> Document:
    return {
        "weights_open": True, "providers_of_the_chip": {"count": 2, "names": ["aws", "oci"]},
        "chips_of_other_makers_in_its_class": None, "other_engines_on_the_chip": {"count": 1, "names": ["sglang"]},
        "other_makers_the_engine_runs_on": {"count": 0, "names": []}, "other_makers_that_load_the_weights": None,
        "api_sellers_of_the_model": {"count": 1, "names": ["Acme Cloud"]}, "commitment_months": 12,
        "bound": ["the price binds for 12 months"],
        "moves": [
            {"to": "another model", "touches": ["prompts"], "engineer_days": {"low": 5.0, "high": 60.0},
             "usd": {"low": 3000.0, "high": 96000.0}, "basis": "an assumption", "confidence": "assumption"},
        ],
        **changes,
    }  # fmt: skip


def score(value: float) -> Document:
    return {"score": value, "setting": "pass@1", "source": "a model card", "date": "2026-01-01", "confidence": "press"}


def rented(
    model: str = "acme/Thinker-32B", usd: float = 0.5, points: float | None = 60.0, **changes: object
) -> Document:
    p = plan(usd=usd * 15.0)
    return {
        "model": model, "how": "4 x b200-hgx, vllm at runpod", "kind": "self_hosted",
        "quality": None if points is None else score(points), "usd_per_mtok_output": interval(usd),
        "usd_per_hour": usd * 15.0, "usd_per_month": usd * 15.0 * 730.5, "ttft_p95_s": interval(0.13),
        "tpot_p95_s": interval(0.0127), "p_meets_slo": 0.97, "meets_slo": True, "on_front": False,
        "dominated_by": None, "plan": p, "api": None, "lock_in": lock_in(), **changes,
    }  # fmt: skip


def by_api(model: str = "closed-1", usd: float = 4.0, points: float | None = 80.0, **changes: object) -> Document:
    return {
        "model": model, "how": "Acme Cloud API", "kind": "api", "quality": None if points is None else score(points),
        "usd_per_mtok_output": {"value": usd, "low": usd, "high": usd}, "usd_per_hour": None, "usd_per_month": None,
        "ttft_p95_s": None, "tpot_p95_s": None, "p_meets_slo": None, "meets_slo": None, "on_front": True,
        "dominated_by": None, "plan": None,
        "api": {"provider": "acme", "provider_name": "Acme Cloud", "model": model, "endpoint": None,
                "usd_per_mtok_output_batch": usd / 2.0, "date": "2026-06-01", "source": "a price page",
                "confidence": "datasheet", "note": ""},
        "lock_in": lock_in(weights_open=False, commitment_months=0, bound=[]), **changes,
    }  # fmt: skip


def choice_document(**changes: object) -> Document:
    """A rented model beaten by nobody, the same by API, a closed model by API."""
    question = dict(document()["question"])
    del question["model"]
    beaten = {"model": "acme/Thinker-32B", "how": "4 x b200-hgx, vllm at runpod", "p_cheaper": 0.7,
              "compared": ["cost", "quality"]}  # fmt: skip
    return {
        "question": {
            **question, "models": ["acme/Thinker-32B", "closed-1"], "api_providers": [],
            "quality": {"benchmark": "Exam", "unit": "% correct"}, "min_quality": 10.0,
        },
        "evaluated": 4321, "cpu_s": 0.5, "elapsed_s": 0.5,
        "choice": [
            rented(on_front=True), by_api(),
            by_api("acme/Thinker-32B", 0.6, 60.0, how="Other API", on_front=False, dominated_by=beaten),
        ],
        "refused": [{"model": "acme/Tiny", "how": None, "reason": "Exam 5 is below the floor of 10"}],
        "assumptions": ["every model is given the same tokens"],
        **changes,
    }  # fmt: skip


def compare_document(**changes: object) -> Document:
    """Three ecosystems, one of them without an answer."""
    d = choice_document()
    mine, theirs = rented(), by_api()
    same = by_api("acme/Thinker-32B", 0.6, 60.0, how="Other API")
    row = {"note": None, "asked": {}, "refusal": None, "refused": []}
    question = {k: d["question"][k] for k in ("workload", "slo", "objective", "quality", "min_quality")}
    return {
        "question": {"name": "Seven ways to serve a shop", **question},
        "evaluated": 99, "cpu_s": 0.1, "elapsed_s": 0.1,
        "compare": [
            {**row, "ecosystem": "Own stack", "note": "rented by the hour", "best": mine, "options": [mine]},
            {**row, "ecosystem": "Bought", "best": same, "options": [same, theirs]},
            {**row, "ecosystem": "Third", "best": None, "options": [], "refusal": "nothing keeps the promise"},
        ],
        "cheaper": {"names": ["Own stack", "Bought"], "p": [[0.5, 0.66], [0.34, 0.5]]},
        "verdicts": ["Own stack against Bought: too close to say (66 % that the first is cheaper)"],
        "assumptions": ["intervals are taken as independent"],
        **changes,
    }  # fmt: skip
