"""Parameters, cache and active parameters against published figures and counts by hand."""

from __future__ import annotations

import pytest

from stackwright.llm import parse_config
from tests.llm import configs as facts

# Totals of the safetensors index or of the model card, without scales and multi-token-prediction layers.
PUBLISHED = {
    "LLAMA_8B": 8_030_261_248,
    "LLAMA_70B": 70_553_706_496,
    "LLAMA_405B": 405_853_388_800,
    "MIXTRAL_8X7B": 46_702_792_704,
    "MIXTRAL_8X22B": 140_620_634_112,
    "QWEN3_06B": 596_049_920,
    "QWEN3_8B": 8_190_735_360,
    "QWEN3_32B": 32_762_123_264,
    "QWEN3_30B_A3B": 30_532_122_624,
    "QWEN3_235B_A22B": 235_093_634_560,
    "DEEPSEEK_V3": 671_026_419_200,
    "GPT_OSS_20B": 20_914_757_184,
    "GPT_OSS_120B": 116_829_156_672,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_total_parameters_are_exactly_the_published_ones(name):
    assert parse_config(getattr(facts, name), name).parameters == PUBLISHED[name]


@pytest.mark.parametrize(
    ("name", "elements"),
    [
        ("LLAMA_8B", 2 * 8 * 128 * 32),
        ("LLAMA_70B", 2 * 8 * 128 * 80),
        ("LLAMA_405B", 2 * 8 * 128 * 126),
        ("QWEN3_32B", 2 * 8 * 128 * 64),
        ("QWEN3_235B_A22B", 2 * 4 * 128 * 94),
        ("MIXTRAL_8X7B", 2 * 8 * 128 * 32),
        ("DEEPSEEK_V3", (512 + 64) * 61),
        ("KIMI_K2", (512 + 64) * 61),
        ("GPT_OSS_120B", 2 * 8 * 64 * 36),
    ],
)
def test_cache_elements_per_token_by_hand(name, elements):
    assert parse_config(getattr(facts, name), name).kv_elements_per_token() == elements


def test_sliding_layers_keep_their_window():
    m = parse_config(facts.GPT_OSS_120B, "gpt-oss")
    # 18 full layers hold 4096 tokens, 18 sliding layers hold 128 of them.
    assert m.kv_elements_per_token(4096) * 4096 == 2 * 8 * 64 * (18 * 4096 + 18 * 128)
    assert m.kv_elements_per_token(100) == m.kv_elements_per_token()


@pytest.mark.parametrize(
    ("name", "billions"),
    [("QWEN3_235B_A22B", 22.2), ("QWEN3_30B_A3B", 3.35), ("DEEPSEEK_V3", 37.6), ("KIMI_K2", 32.9)],
)
def test_active_parameters_match_the_model_names(name, billions):
    """A22B, A3B (3.3 on its card), 37B, 32B: embedding and head counted on both sides."""
    assert parse_config(getattr(facts, name), name).active_parameters / 1e9 == pytest.approx(billions, abs=0.06)


@pytest.mark.parametrize(("name", "billions"), [("GPT_OSS_120B", 5.13), ("GPT_OSS_20B", 3.61)])
def test_active_parameters_of_gpt_oss_leave_the_embedding_out(name, billions):
    """The gpt-oss model card counts the output head as active but not the embedding (a look-up)."""
    m = parse_config(getattr(facts, name), name)
    assert (m.active_parameters - m.head_parameters) / 1e9 == pytest.approx(billions, abs=0.01)


def test_dense_models_use_all_parameters():
    m = parse_config(facts.LLAMA_70B, "llama")
    assert m.active_parameters == m.parameters
    assert m.traits == {"dense"}


def test_traits_name_what_an_engine_must_support():
    assert parse_config(facts.DEEPSEEK_V3, "v3").traits == {"moe", "mla"}
    assert parse_config(facts.GPT_OSS_20B, "oss").traits == {"moe", "sliding"}


def test_tied_embedding_is_stored_once_but_read_for_the_head():
    m = parse_config(facts.QWEN3_06B, "qwen")
    assert m.embedding_parameters == m.head_parameters == 151936 * 1024
