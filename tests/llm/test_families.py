"""The families of 2026: parameters against published totals, cache and state by hand."""

from __future__ import annotations

import math

import pytest

from stackwright.catalog import load_catalog
from stackwright.errors import InputError, UnsupportedError
from stackwright.llm import parse_config
from stackwright.llm.families import FAMILIES
from stackwright.performance.models import model_of

V4_FLASH = "deepseek-ai/DeepSeek-V4-Flash"
NANO = "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16"


def model(name):
    return model_of(load_catalog().model(name))


def config(name, **changes):
    return {**load_catalog().model(name).config, **changes}


@pytest.mark.parametrize(
    ("name", "total", "active"),
    [
        ("deepseek-ai/DeepSeek-V3.2", 671.9, 38.4),
        (V4_FLASH, 284.3, 13.8),
        ("google/gemma-4-26B-A4B", 25.23, 3.82),
        ("moonshotai/Kimi-K3", 2779, 105.4),
        (NANO, 31.58, 3.58),
        ("nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-BF16", 549.3, 56.1),
        ("Qwen/Qwen3-Next-80B-A3B-Instruct", 79.67, 3.87),
        ("zai-org/GLM-4.6", 352.8, 33.6),
    ],
)
def test_counts_in_billions(name, total, active):
    m = model(name)
    assert m.parameters / 1e9 == pytest.approx(total, rel=2e-3)
    assert m.active_parameters / 1e9 == pytest.approx(active, rel=5e-3)


@pytest.mark.parametrize(
    ("name", "elements"),
    [
        ("deepseek-ai/DeepSeek-V3", 61 * (512 + 64)),
        ("deepseek-ai/DeepSeek-V3.2", 61 * (512 + 64)),
        (V4_FLASH, 21 * 512 // 4 + 20 * 512 // 128),
        ("Qwen/Qwen3-Next-80B-A3B-Instruct", 12 * 2 * 2 * 256),  # a full layer in four
        (NANO, 6 * 2 * 2 * 128),  # six stars in the pattern
        ("nvidia/Llama-3_3-Nemotron-Super-49B-v1", 49 * 2 * 8 * 128),  # 31 of 80 layers have no attention
        ("google/gemma-3-27b-it", 62 * 2 * 16 * 128),
        ("google/gemma-4-26B-A4B", 25 * 2 * 8 * 256 + 5 * 2 * 2 * 512),
        ("XiaomiMiMo/MiMo-V2-Flash", 9 * 4 * (192 + 128) + 39 * 8 * (192 + 128)),
        ("moonshotai/Kimi-K3", 24 * (512 + 64)),
        ("openai/gpt-oss-120b", 36 * 2 * 8 * 64),
    ],
)
def test_cache_elements_of_one_more_token(name, elements):
    assert model(name).kv_elements_per_token() == elements


def test_windows_bound_the_cache_of_a_long_sequence():
    """Gemma 3: 10 of 62 layers keep 100,000 tokens, 52 keep 1,024; DeepSeek-V4: windows of 128 and compressed ones."""
    tokens = 100_000
    gemma = model("google/gemma-3-27b-it").kv_elements_per_token(tokens) * tokens
    assert gemma == pytest.approx(2 * 16 * 128 * (10 * tokens + 52 * 1024))
    v4 = model(V4_FLASH).kv_elements_per_token(tokens) * tokens
    assert v4 == pytest.approx(512 * (43 * 128 + 21 * tokens / 4 + 20 * tokens / 128))


@pytest.mark.parametrize(("name", "share"), [("deepseek-ai/DeepSeek-V4-Pro", 0.10), (V4_FLASH, 0.07)])
def test_deepseek_v4_keeps_a_tenth_of_the_cache_of_v3_2(name, share):
    """The report gives 10 % and 7 % at a million tokens; index keys included, one byte an element."""

    def kept(m, tokens):
        indexed = sum(a.layers * a.index_elements / (a.compression or 1.0) for a in m.attentions)
        return m.kv_elements_per_token(tokens) + indexed

    ratio = kept(model(name), 1e6) / kept(model("deepseek-ai/DeepSeek-V3.2"), 1e6)
    assert ratio == pytest.approx(share, rel=0.2)


def test_states_by_hand():
    """Mamba-2: 64 heads x 64 x 128 in FP32, three inputs of 6,144 channels in BF16. KDA: 96 heads of 128 x 128."""
    mamba = next(a for a in model(NANO).attentions if a.kind == "mamba2")
    assert (mamba.layers, mamba.state_bytes) == (23, 4 * 64 * 64 * 128 + 2 * 3 * (64 * 64 + 2 * 8 * 128))
    kda = next(a for a in model("moonshotai/Kimi-K3").attentions if a.kind == "kda")
    assert (kda.layers, kda.state_bytes) == (69, 4 * 96 * 128 * 128 + 2 * 3 * 3 * 96 * 128)
    heavy = next(a for a in model(V4_FLASH).attentions if a.name == "hca_attention")
    assert heavy.state_bytes == 2 * 128 * 512 * 4


def test_blocks_of_one_mixer_count_half():
    m = model(NANO)
    assert m.layers == 26
    assert sum(a.layers for a in m.attentions) + m.experts[0].layers == 52
    assert m.norm_parameters == 2688 * 53


def test_layers_that_share_an_indexer_have_none():
    m = model("zai-org/GLM-5.2")
    own, shared = m.attentions
    assert (own.layers, shared.layers) == (21, 57)
    assert own.index_elements == 128
    assert shared.index_elements == shared.index_flops_per_pair == 0
    assert own.parameters - shared.parameters == 2048 * 32 * 128 + 6144 * 128 + 6144 * 32


def test_a_gemma_3_file_without_head_size_has_heads_of_256():
    """As google/gemma-3-12b-it is published: hidden size 3840 over 16 heads would be 240."""
    silent = config("google/gemma-3-27b-it", hidden_size=3840, num_attention_heads=16, num_key_value_heads=8)
    del silent["head_dim"]
    assert parse_config(silent, "m").kv_elements_per_token() == 62 * 2 * 8 * 256


def test_per_layer_embeddings_and_borrowed_caches_of_small_gemma_4():
    """Ten layers, four of which read the cache of earlier ones and have no keys and values; a table per layer."""
    small = config(
        "google/gemma-4-31B-it",
        num_hidden_layers=10,
        layer_types=["sliding_attention", "full_attention"] * 5,
        num_kv_shared_layers=4,
        hidden_size_per_layer_input=256,
    )
    m = parse_config(small, "m")
    assert sum(a.layers for a in m.attentions) == 10
    assert m.kv_elements_per_token() == 3 * 2 * 16 * 256 + 3 * 2 * 4 * 512
    assert m.lookup_parameters == 262144 * 10 * 256
    plain = parse_config({**small, "hidden_size_per_layer_input": 0}, "m")
    added = m.parameters - plain.parameters - m.lookup_parameters
    assert added == 10 * (3 * 5376 * 256 + 5376) + 256


def test_pruned_layers_are_counted_one_by_one():
    m = model("nvidia/Llama-3_3-Nemotron-Super-49B-v1")
    assert sum(a.layers for a in m.attentions) == 49
    assert sum(f.layers for f in m.feed_forwards) == 80
    assert max(f.parameters for f in m.feed_forwards) == 3 * 8192 * 28672  # ffn_mult 5.25, as in Llama 70B


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        (V4_FLASH, {"compress_ratios": [0] * 42 + [16]}, "compress_ratios has 16"),
        (V4_FLASH, {"compress_ratios": [4]}, "must list the 43 layers"),
        (NANO, {"hybrid_override_pattern": "MEX" + "E" * 49}, "block type 'X' is not covered"),
        (NANO, {"num_hidden_layers": 60}, "lists 52 layers"),
        ("moonshotai/Kimi-K3", {"num_hidden_layers": 90}, "lists 93 layers"),
        ("Qwen/Qwen3-Next-80B-A3B-Instruct", {"layer_types": ["full_attention"]}, "lists 1 layers"),
        ("stepfun-ai/Step-3.7-Flash", {"first_k_dense_replace": None, "moe_layers_enum": None}, None),
    ],
)
def test_impossible_patterns_are_refused(name, change, says):
    given = config(name, **change)
    given = {k: v for k, v in given.items() if v is not None}
    with pytest.raises((InputError, UnsupportedError), match=says or "place its experts"):
        parse_config(given, "m")


def test_every_family_of_the_catalogue_is_read_and_counts_are_finite():
    for entry in load_catalog().models.values():
        m = model_of(entry)
        assert entry.config["model_type"] in FAMILIES
        assert math.isfinite(m.parameters)
        assert m.active_parameters <= m.parameters
        assert m.layers > 0
