from __future__ import annotations

import doctest
import importlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackwright.web.draw.labels import GAP, spread
from stackwright.web.draw.marks import slots
from stackwright.web.draw.scales import log_scale
from stackwright.web.markup import join, tag, text
from stackwright.web.words.numbers import figure, finite, probability, seconds, significant, usd


@pytest.mark.parametrize("name", ["markup", "words.numbers", "draw.scales", "draw.labels"])
def test_examples_in_docstrings(name: str) -> None:
    module = importlib.import_module(f"stackwright.web.{name}")
    assert doctest.testmod(module).failed == 0


@given(st.text())
def test_text_never_opens_a_tag(words: str) -> None:
    made = tag("p", words, title=words)
    assert made.count("<") == 2
    assert made.count('"') == 2
    made.encode("utf-8")


def test_markup_is_escaped_once() -> None:
    assert join("a&b", tag("b", "<"), None) == "a&amp;b<b>&lt;</b>"
    assert text(text("<")) == "&lt;"


@pytest.mark.parametrize("x", [None, float("nan"), float("inf"), "7", True, {}])
def test_what_is_no_number_is_absent(x: object) -> None:
    assert finite(x) is None
    assert not figure(x).known
    assert usd(finite(x)) == seconds(finite(x)) == significant(finite(x)) == probability(finite(x)) == "–"


@given(st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=8))
def test_log_axis_holds_every_value_between_its_marks(values: list[float]) -> None:
    scale = log_scale(values)
    assert scale.low <= min(values) * 1.00001
    assert scale.high >= max(values) * 0.99999
    assert scale.low < scale.high
    assert scale.ticks()
    positions = [scale.at(v) for v in sorted(values)]
    assert positions == sorted(positions)
    assert all(0.0 <= p <= 100.0 for p in positions)


@given(st.lists(st.floats(-50.0, 600.0), min_size=1, max_size=80))
def test_labels_stay_inside_and_apart(wanted: list[float]) -> None:
    found = spread(sorted(wanted), bottom=400.0)
    assert min(found) >= 8.0 - 1e-6
    assert max(found) <= 400.0 + 1e-6
    apart = min(GAP, 392.0 / max(len(wanted) - 1, 1))
    assert all(b - a >= apart - 1e-6 for a, b in pairwise(found))


def test_makers_keep_their_colour_and_never_share_one_with_a_newcomer() -> None:
    assert slots(["AMD", "NVIDIA"]) == {"AMD": 1, "NVIDIA": 0}
    found = slots(["NVIDIA", "Nobody", "Somebody"])
    assert found["NVIDIA"] == 0
    assert len(set(found.values())) == 3
