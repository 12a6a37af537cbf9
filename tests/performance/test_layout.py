"""Layouts that cannot be, each with its reason."""

from __future__ import annotations

import pytest

from stackwright.errors import InputError
from stackwright.performance import Layout, check_layout, layout_problem
from tests.llm import configs as facts
from tests.performance.parts import chip, engine, model


@pytest.mark.parametrize(
    ("name", "layout", "says"),
    [
        ("LLAMA_8B", Layout(tp=0), "at least 1"),
        ("LLAMA_8B", Layout(tp=3), "does not divide 32 attention heads"),
        ("MIXTRAL_8X22B", Layout(tp=12), "8 key-value heads do not divide"),
        ("LLAMA_8B", Layout(pp=33), "33 pipeline stages for 32 layers"),
        ("LLAMA_8B", Layout(tp=2, ep=2), "mixture-of-experts"),
        ("QWEN3_30B_A3B", Layout(tp=2, ep=4), "does not divide the 2 chips"),
        ("MIXTRAL_8X7B", Layout(tp=16, ep=16), "does not divide 8 experts"),
        ("LLAMA_8B", Layout(attention_dp=2), "mixture-of-experts"),
        ("LLAMA_8B", Layout(kv_precision="int8"), "no int8 KV cache"),
        ("LLAMA_8B", Layout(weight_precision="fp4"), "no fp4 weights"),
    ],
)
def test_impossible_layouts(name, layout, says):
    m = model(getattr(facts, name))
    assert says in (layout_problem(layout, m, engine(), chip()) or "")
    with pytest.raises(InputError, match="test-engine"):
        check_layout(layout, m, engine(), chip())


@pytest.mark.parametrize("layout", [Layout(), Layout(tp=8), Layout(tp=16), Layout(tp=4, pp=2)])
def test_possible_layouts(layout):
    assert layout_problem(layout, model(facts.LLAMA_8B), engine(), chip()) is None


def test_engines_refuse_what_they_lack():
    m, e, c = model(facts.DEEPSEEK_V3), engine(), chip()
    assert "mla" in layout_problem(Layout(tp=8), m, e.model_copy(update={"architectures": ("moe",)}), c)
    assert "does not run on" in layout_problem(Layout(tp=8), m, e, c.model_copy(update={"family": "other"}))
    for key, lacking, layout in (
        ("pipeline_parallel", False, Layout(tp=8, pp=2)),
        ("expert_parallel", "none", Layout(tp=8, ep=8)),
        ("attention_data_parallel", "none", Layout(attention_dp=8)),
    ):
        assert "has no" in layout_problem(layout, m, e.model_copy(update={key: lacking}), c)
    whole = e.model_copy(update={"expert_parallel": "whole"})
    assert "over the whole group of 8 chips" in layout_problem(Layout(tp=8, ep=4), m, whole, c)
    assert layout_problem(Layout(tp=8, ep=8), m, whole, c) is None


def test_a_layout_prints_short():
    assert str(Layout(tp=4, ep=8, attention_dp=2)) == "tp4 ep8 dp2"
    assert Layout(tp=4, pp=3, attention_dp=2).n_chips == 24
