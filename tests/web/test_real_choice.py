from __future__ import annotations

import functools
from typing import Any

from stackwright import api
from tests.web.page import page

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
    words = page(choice()).text
    for said in ("Every way to have each model", "Anthropic API", "not known", "GPQA Diamond", "Assumptions"):
        assert said in words


def test_a_comparison_as_a_page() -> None:
    found = page(comparison())
    for said in ("one question", "rented <b>", "too close to say", "no stack can run it", "What it locks", "80"):
        assert said in found.text
    assert found.panels == ["models", "ecosystems", "basis"]
    assert {"standings", "order", "ecosystem-locks", "model-locks"} <= set(found.sections)


def test_nothing_that_answers() -> None:
    empty = comparison()
    empty["compare"] = [row for row in empty["compare"] if row["best"] is None]
    empty["cheaper"], empty["verdicts"] = {"names": [], "p": []}, []
    assert "Nothing found on rented chips keeps the promise" in page(empty).text
