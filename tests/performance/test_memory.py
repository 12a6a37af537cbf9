"""Memory of a chip, by hand and at the edges."""

from __future__ import annotations

import pytest

from stackwright.catalog import load_catalog
from stackwright.performance import (
    Candidate,
    Layout,
    candidates,
    kv_bytes_per_sequence,
    kv_capacity_sequences,
    memory_budget,
)
from stackwright.performance.constants import prior_constants
from stackwright.performance.memory import weight_bytes_per_chip
from tests.llm import configs as facts
from tests.performance.parts import TP8, model, one

LLAMA_70B = model(facts.LLAMA_70B)


def test_llama_70b_fp8_on_eight_chips_by_hand():
    budget = memory_budget(one(LLAMA_70B, TP8))
    linear = 80 * (8192 * 128 * (64 + 16) + 8192 * 8192 + 3 * 8192 * 28672)
    ends = 2 * 128256 * 8192
    norms = (2 * 80 + 1) * 8192
    assert budget.weights.item() == pytest.approx(linear / 8 + 2 * ends / 8 + 2 * norms)
    assert budget.usable.item() == pytest.approx(0.9 * 80e9)
    assert budget.activations.item() == pytest.approx(8192 * 2 * (6 * 8192 + 2 * 28672 / 8))
    assert budget.kv.item() == pytest.approx(72e9 - budget.weights.item() - budget.activations.item() - 2e9)


def test_cache_of_a_sequence_by_hand():
    c = one(LLAMA_70B, TP8)
    assert kv_bytes_per_sequence(c, 1000.0).item() == 2 * 8 * 128 * 80 * 1000 / 8
    free = memory_budget(c).kv.item()
    assert kv_capacity_sequences(c, memory_budget(c), 1000.0).item() == pytest.approx(free / 20.48e6)


def test_cache_is_copied_beyond_the_key_value_heads():
    eight, sixteen = (one(LLAMA_70B, Layout(tp=t)) for t in (8, 16))
    assert kv_bytes_per_sequence(eight, 1e3) == kv_bytes_per_sequence(sixteen, 1e3)
    latent = [one(model(facts.DEEPSEEK_V3), Layout(tp=t)) for t in (1, 8)]
    assert kv_bytes_per_sequence(latent[0], 1e3) == kv_bytes_per_sequence(latent[1], 1e3) == 576 * 61 * 1e3 * 2


def test_windows_cap_the_cache():
    c = one(model(facts.GPT_OSS_20B))
    assert kv_bytes_per_sequence(c, 1e4).item() == 2 * 8 * 64 * 2 * 12 * (1e4 + 128)


def test_what_does_not_fit_says_so():
    c = one(model(facts.LLAMA_405B), Layout(tp=8))
    budget = memory_budget(c)
    assert not budget.fits.item()
    assert budget.kv.item() < 0
    assert kv_capacity_sequences(c, budget, 1e3).item() == 0
    assert memory_budget(one(model(facts.LLAMA_405B), Layout(tp=8, weight_precision="fp8"))).fits.item()


@pytest.mark.parametrize("name", ["LLAMA_8B", "MIXTRAL_8X7B", "DEEPSEEK_V3", "QWEN3_06B"])
def test_one_chip_holds_the_whole_checkpoint(name):
    from stackwright.llm import weight_bytes

    m = model(getattr(facts, name))
    assert weight_bytes_per_chip(one(m)).item() == pytest.approx(weight_bytes(m, "bf16"), rel=1e-12)


def test_stages_divide_the_layers_and_keep_an_end_each():
    m = model(facts.LLAMA_8B)
    whole, staged = (weight_bytes_per_chip(one(m, Layout(pp=p))).item() for p in (1, 2))
    assert staged == pytest.approx(whole / 2)
    tied = model(facts.QWEN3_06B)
    layers = 2 * (tied.parameters - tied.embedding_parameters)
    assert weight_bytes_per_chip(one(tied, Layout(pp=2))).item() == pytest.approx(layers / 2 + 2 * tied.head_parameters)
    uneven = model(facts.DEEPSEEK_V3)
    share = kv_bytes_per_sequence(one(uneven, Layout(pp=2)), 1e3) / kv_bytes_per_sequence(one(uneven), 1e3)
    assert share.item() == pytest.approx(31 / 61)


def test_experts_need_room_for_their_activations():
    c = one(model(facts.MIXTRAL_8X7B))
    widest = 2 * 2 * 14336
    assert memory_budget(c).activations.item() == pytest.approx(8192 * 2 * (6 * 4096 + widest))


def test_a_fraction_of_what_is_left_never_starves_the_cache():
    """TensorRT-LLM takes 90 % of the memory that weights, activations and runtime leave."""
    of_chip, of_free = (memory_budget(one(LLAMA_70B, TP8, memory_fraction_of=part)) for part in ("chip", "free"))
    fixed = (of_chip.weights + of_chip.activations + of_chip.reserve).item()
    assert of_free.kv.item() == pytest.approx(0.9 * (80e9 - fixed))
    assert of_chip.kv.item() == pytest.approx(0.9 * 80e9 - fixed)


def test_converters_of_engines_quantise_the_ends_too():
    """llama.cpp writes embeddings and head in 8 bits or fewer; engines that load published checkpoints keep BF16."""
    catalog = load_catalog()
    int4 = Layout(weight_precision="int4")
    llama, vllm = (
        weight_bytes_per_chip(
            candidates(LLAMA_70B, [Candidate(catalog.engine(e), catalog.chip("h100-sxm"), int4)], prior_constants())
        ).item()
        for e in ("llama.cpp", "vllm")
    )
    assert vllm - llama == pytest.approx(2 * 128256 * 8192 * (2.0 - 1.0))
