"""Reading config.json: defaults, refusals, windows and stated precisions."""

from __future__ import annotations

import json

import pytest

from stackwright.errors import InputError, UnsupportedError
from stackwright.llm import parse_config, read_config
from tests.llm.configs import DEEPSEEK_V3, GPT_OSS_20B, LLAMA_8B, MIXTRAL_8X7B, QWEN3_8B, QWEN3_30B_A3B


def test_a_folder_or_a_file_reads_the_same(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(LLAMA_8B))
    assert read_config(tmp_path) == read_config(tmp_path / "config.json") == parse_config(LLAMA_8B, tmp_path.name)


@pytest.mark.parametrize(("text", "says"), [("{", "not valid JSON"), ("[1]", "expected a JSON object")])
def test_a_broken_file_is_refused_by_name(tmp_path, text, says):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match=says):
        read_config(tmp_path)


def test_a_missing_file_says_what_to_give(tmp_path):
    with pytest.raises(InputError, match=r"config\.json or its folder"):
        read_config(tmp_path / "none.json")


def test_an_unknown_architecture_is_refused_with_the_known_ones():
    with pytest.raises(UnsupportedError, match=r"mamba.*llama"):
        parse_config({"model_type": "mamba"}, "m")
    with pytest.raises(UnsupportedError, match="'nothing'"):
        parse_config({}, "m")


@pytest.mark.parametrize("key", ["index_topk", "attention_chunk_size", "linear_num_value_heads"])
def test_sparse_and_linear_attention_are_refused(key):
    with pytest.raises(UnsupportedError, match=key):
        parse_config({**LLAMA_8B, key: 8}, "m")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"hidden_size": None}, "lacks 'hidden_size'"),
        ({"hidden_size": 0}, "positive"),
        ({"hidden_size": -1}, "whole number"),
        ({"hidden_size": 1.5}, "whole number"),
        ({"hidden_size": True}, "whole number"),
        ({"num_key_value_heads": 5}, "do not divide"),
    ],
)
def test_impossible_fields_are_refused(change, says):
    with pytest.raises(InputError, match=says):
        parse_config({**LLAMA_8B, **change}, "m")


def test_more_experts_per_token_than_experts_is_refused():
    with pytest.raises(InputError, match="exceeds the 8 experts"):
        parse_config({**MIXTRAL_8X7B, "num_experts_per_tok": 9}, "m")


def test_expert_layers_stand_where_the_fields_say():
    """Every other layer (decoder_sparse_step 2), two of the rest dense by name; every second from the fourth on."""
    qwen = parse_config({**QWEN3_30B_A3B, "decoder_sparse_step": 2, "mlp_only_layers": [1, 3]}, "m")
    assert (qwen.experts[0].layers, qwen.feed_forwards[0].layers) == (22, 26)
    deepseek = parse_config({**DEEPSEEK_V3, "moe_layer_freq": 2}, "m")
    assert deepseek.experts[0].layers == len(range(4, 61, 2))
    listed = parse_config({**DEEPSEEK_V3, "moe_layer_freq": [0] * 11 + [1] * 50}, "m")
    assert (listed.experts[0].layers, listed.feed_forwards[0].layers) == (50, 11)


def test_impossible_places_of_experts_are_refused():
    with pytest.raises(InputError, match="first_k_dense_replace"):
        parse_config({**DEEPSEEK_V3, "first_k_dense_replace": 62}, "m")
    with pytest.raises(InputError, match="moe_layer_freq lists 3 layers"):
        parse_config({**DEEPSEEK_V3, "moe_layer_freq": [0, 1, 1]}, "m")


def test_a_refusal_names_the_strange_fields_and_the_nearest_families():
    with pytest.raises(UnsupportedError, match=r"'qwen4_moe'.*ssm_state_size.*near: qwen\d_moe"):
        parse_config({"model_type": "qwen4_moe", "ssm_state_size": 128}, "m")
    with pytest.raises(UnsupportedError, match=r"block_configs \(layers that differ one by one\)"):
        parse_config({**LLAMA_8B, "block_configs": [{}]}, "m")


def test_the_text_part_of_a_multimodal_model_says_so():
    outer = {"model_type": "qwen3_vl", "text_config": {**QWEN3_8B, "model_type": "qwen3_vl_text"}}
    m = parse_config(outer, "m")
    assert m.parameters == parse_config(QWEN3_8B, "m").parameters
    assert "image tokens are not modelled" in m.note
    assert parse_config(QWEN3_8B, "m").note == ""


def test_null_means_the_default():
    nulls = {"head_dim": None, "num_key_value_heads": None, "sliding_window": None}
    m = parse_config({**LLAMA_8B, **nulls}, "m")
    assert m.kv_elements_per_token() == 2 * 32 * 128 * 32  # one key-value head per head
    direct = parse_config({**DEEPSEEK_V3, "q_lora_rank": None}, "m")  # queries projected at once
    assert direct.attentions[0].matrices[0].parameters == 0
    assert direct.attentions[0].matrices[2].parameters == 7168 * 128 * (128 + 64)


def test_biases_are_counted():
    plain, with_bias = (parse_config({**LLAMA_8B, "mlp_bias": b, "attention_bias": b}, "m") for b in (False, True))
    per_layer = 2 * 14336 + 4096 + (32 + 2 * 8) * 128 + 4096
    assert with_bias.parameters - plain.parameters == 32 * per_layer


def _windows(config):
    return {(a.layers, a.window) for a in parse_config(config, "m").attentions}


def test_windows_follow_the_model_classes():
    assert _windows({**LLAMA_8B, "sliding_window": 4096}) == {(32, None)}
    assert _windows({**LLAMA_8B, "model_type": "mistral", "sliding_window": 4096}) == {(32, 4096)}
    assert _windows({**QWEN3_8B, "sliding_window": 4096}) == {(36, None)}
    sliding = {**QWEN3_8B, "sliding_window": 4096, "use_sliding_window": True}
    assert _windows(sliding) == {(36, None)}  # max_window_layers: the first 36 layers attend to all
    assert _windows({**sliding, "max_window_layers": 28}) == {(28, None), (8, 4096)}
    kinds = ["full_attention"] * 30 + ["sliding_attention"] * 6
    assert _windows({**sliding, "layer_types": kinds}) == {(30, None), (6, 4096)}
    assert _windows(GPT_OSS_20B) == {(12, None), (12, 128)}


def test_layer_types_must_name_every_layer():
    with pytest.raises(InputError, match="layer_types lists 2"):
        parse_config({**GPT_OSS_20B, "layer_types": ["full_attention"] * 2}, "m")


@pytest.mark.parametrize(
    ("quantization", "native"),
    [
        (None, "bf16"),
        ({"quant_method": "fp8"}, "fp8"),
        ({"quant_method": "mxfp4"}, "mxfp4"),
        ({"quant_method": "gptq", "bits": 4}, "int4"),
        ({"quant_method": "gptq", "bits": 8}, "int8"),
        ({"quant_method": "compressed-tensors"}, "int4"),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "float"}}},
            },
            "fp8",
        ),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"group_0": {"weights": {"num_bits": 4, "type": "int"}}},
            },
            "int4",
        ),
    ],
)
def test_native_precision_is_the_stated_one(quantization, native):
    assert parse_config({**LLAMA_8B, "quantization_config": quantization}, "m").native_precision == native
