from __future__ import annotations

import datetime as dt
import functools
from typing import Any

from stackwright import api
from stackwright.web.choice_report import render_choice_report, render_comparison_report
from tests.web.test_report import Page

DAY = dt.date(2026, 7, 1)
FEW: dict[str, Any] = {"chips": ("h100-sxm",), "clouds": ("aws",), "engines": ("vllm",), "rate": 5.0}


@functools.cache
def choice() -> dict[str, Any]:
    return api.choice_document(api.choose(["qwen3-8b", "claude-sonnet-4-5"], quality="gpqa-diamond", **FEW))


def comparison() -> dict[str, Any]:
    """A comparison document made of the options of a choice."""
    c = choice()
    by = {o["kind"]: o for o in reversed(c["choice"])}
    rows = [
        {"ecosystem": "rented <b>", "note": None, "asked": {}, "best": by["self_hosted"], "refusal": None,
         "options": [by["self_hosted"]], "refused": []},
        {"ecosystem": "bought", "note": "by token", "asked": {}, "best": by["api"], "refusal": None,
         "options": [by["api"]], "refused": []},
        {"ecosystem": "nobody's", "note": None, "asked": {}, "best": None, "refusal": "no stack can run it",
         "options": [], "refused": [{"model": "m", "how": None, "reason": "too low"}]},
    ]  # fmt: skip
    return {
        **c,
        "question": {**c["question"], "name": "one question"},
        "compare": rows,
        "cheaper": {"names": ["rented <b>", "bought"], "p": [[0.5, 0.8], [0.2, 0.5]]},
        "verdicts": ["rented <b> against bought: too close to say (80 % that the first is cheaper)"],
    }


def test_a_choice_as_a_page() -> None:
    words = " ".join(Page(render_choice_report(choice(), DAY)).words)
    for said in ("Every way to have each model", "Anthropic API", "not known", "GPQA Diamond", "Assumptions"):
        assert said in words


def test_a_comparison_as_a_page() -> None:
    page = Page(render_comparison_report(comparison(), DAY))
    words = " ".join(page.words)
    for said in ("one question", "rented <b>", "too close to say", "no stack can run it", "What it locks", "80"):
        assert said in words
    assert {"#standings", "#order", "#locks"} <= {v for t, k, v in page.attributes if (t, k) == ("a", "href")}


def test_nothing_that_answers() -> None:
    empty = comparison()
    empty["compare"] = [row for row in empty["compare"] if row["best"] is None]
    empty["cheaper"], empty["verdicts"] = {"names": [], "p": []}, []
    assert "Nothing keeps the promise." in render_comparison_report(empty, DAY)
