"""Stacked models: one evaluation of many models equals one evaluation each."""

import numpy as np
import pytest

from stackwright.catalog import load_catalog
from stackwright.llm import parse_config
from stackwright.llm.operators import StepShape
from stackwright.llm.stack import stack, take
from stackwright.performance import Candidate, Layout, candidates, kv_bytes_per_sequence, memory_budget, step_time
from stackwright.performance.constants import prior_constants
from stackwright.performance.models import model_of

NAMES = (
    "meta-llama/Meta-Llama-3.1-8B",
    "deepseek-ai/DeepSeek-R1",
    "openai/gpt-oss-120b",
    "mistralai/Mixtral-8x7B-v0.1",
    "Qwen/Qwen3-30B-A3B",
    "Qwen/Qwen3-0.6B",
)


def models():
    facts = load_catalog()
    return [parse_config(facts.model(n).config, n) for n in NAMES]


def entries():
    facts = load_catalog()
    layout = Layout(tp=4, weight_precision="bf16")
    return [Candidate(facts.engine("vllm"), facts.chip("h200-sxm"), layout) for _ in NAMES]


@pytest.mark.parametrize("prefill", [False, True])
def test_stacked_step_equals_each_model_alone(prefill):
    every, rows, constants = models(), entries(), prior_constants()
    together = candidates(every, rows, constants)
    shape = StepShape(np.array([[512.0, 7.0]]), np.array([[4.0, 7.0]]), np.array(900.0), prefill)
    stacked = step_time(together, shape).seconds
    budget = memory_budget(together)
    for i, model in enumerate(every):
        alone = candidates(model, [rows[i]], constants)
        np.testing.assert_allclose(stacked[[i]], step_time(alone, shape).seconds, rtol=1e-12)
        np.testing.assert_allclose(budget.kv[[i]], memory_budget(alone).kv, rtol=1e-12)


def test_counts_and_rows():
    every = models()
    together = stack(every)
    np.testing.assert_allclose(np.ravel(together.parameters), [m.parameters for m in every])
    np.testing.assert_allclose(np.ravel(together.active_parameters), [m.active_parameters for m in every])
    np.testing.assert_allclose(np.ravel(take(together, np.array([2, 0])).layers), [every[2].layers, every[0].layers])


def test_one_model_is_not_stacked():
    model = models()[0]
    assert stack([model, model]) is model


def test_every_model_of_the_catalogue_stacks_without_changing():
    """Kinds of layer, several of a kind, and widths of experts: each row equals its model alone."""
    facts = load_catalog()
    every = [model_of(e) for e in facts.models.values()]
    layout = Layout(weight_precision="bf16")
    row = Candidate(facts.engine("vllm"), facts.chip("b300-hgx"), layout)
    together = candidates(every, [row] * len(every), prior_constants())
    shape = StepShape(np.array([[64.0, 7.0]]), np.array([[16.0, 7.0]]), np.array(9000.0), False)
    seconds, kv = step_time(together, shape).seconds, kv_bytes_per_sequence(together, 9000.0)
    for i, model in enumerate(every):
        alone = candidates(model, [row], prior_constants())
        np.testing.assert_allclose(seconds[[i]], step_time(alone, shape).seconds, rtol=1e-12, err_msg=model.id)
        np.testing.assert_allclose(kv[[i]], kv_bytes_per_sequence(alone, 9000.0), rtol=1e-12, err_msg=model.id)
