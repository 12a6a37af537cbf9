"""What quantised checkpoints state: precision and formats by role."""

from __future__ import annotations

import json

import pytest

from stackwright.errors import InputError, UnsupportedError
from stackwright.llm import parse_config, read_config, weight_bytes, weight_format
from tests.llm.configs import DEEPSEEK_V3, GPT_OSS_120B, LLAMA_8B, QWEN3_30B_A3B

NVFP4 = {"quant_method": "modelopt", "quant_algo": "NVFP4"}


def formats(config, quantization):
    m = parse_config({**config, "quantization_config": quantization}, "m")
    roles = ("attention_in", "attention_out", "ffn", "expert", "shared_expert")
    return m.native_precision, {role: weight_format(m, m.native_precision, role) for role in roles}


def test_what_is_spared_stays_in_bf16():
    """Excluded by wildcard, by regular expression, layer by layer, or as the whole of the dense layers."""
    for ignored in (
        ["*self_attn*"],
        ["re:.*self_attn.*"],
        [f"model.layers.{i}.self_attn*" for i in range(61)],
        [f"model.layers.{i}.self_attn.{p}" for i in range(61) for p in ("q_b_proj", "o_proj")],
    ):
        native, found = formats(DEEPSEEK_V3, {**NVFP4, "ignore": ["lm_head", *ignored]})
        assert native == "nvfp4"
        assert (found["attention_in"], found["attention_out"]) == ("bf16", "bf16")
        assert (found["ffn"], found["expert"], found["shared_expert"]) == ("nvfp4",) * 3
    dense = [f"model.layers.{i}.*" for i in range(3)]
    assert formats(DEEPSEEK_V3, {**NVFP4, "ignore": dense})[1]["ffn"] == "bf16"


def test_prediction_layers_norms_and_routers_are_no_part_of_the_question():
    names = ["model.layers.61*", "model.layers.5.mlp.gate", *(f"model.layers.{i}.input_layernorm" for i in range(61))]
    names += [f"model.layers.{i}.self_attn.indexer.k_norm" for i in range(61)]
    _, found = formats(DEEPSEEK_V3, {"quant_method": "fp8", "modules_to_not_convert": names})
    assert set(found.values()) == {"fp8"}


def test_a_few_layers_do_not_decide_for_a_role():
    some = [f"model.layers.{i}.self_attn.q_proj" for i in range(10)]
    assert formats(QWEN3_30B_A3B, {**NVFP4, "exclude_modules": some})[1]["attention_in"] == "nvfp4"


def test_mixed_checkpoints_are_called_by_the_format_of_most_parameters():
    layers = {f"model.layers.{i}.self_attn.{p}": {"quant_algo": "FP8"} for i in range(48) for p in ("q_proj", "o_proj")}
    layers |= {f"model.layers.{i}.mlp.experts.0.up_proj": {"quant_algo": "W4A16_NVFP4"} for i in range(48)}
    native, found = formats(
        QWEN3_30B_A3B, {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION", "quantized_layers": layers}
    )
    assert native == "nvfp4"
    assert (found["attention_in"], found["attention_out"], found["expert"]) == ("fp8", "fp8", "nvfp4")


def test_experts_of_four_bits_beside_fp8():
    m = parse_config({**DEEPSEEK_V3, "quantization_config": {"quant_method": "fp8"}, "expert_dtype": "fp4"}, "m")
    assert m.native_precision == "mxfp4"
    assert weight_format(m, "mxfp4", "expert") == "mxfp4"
    assert weight_format(m, "mxfp4", "shared_expert") == "fp8"
    assert weight_format(m, "fp8", "expert") == "fp8"  # a checkpoint of another precision goes by the rule


def test_compressed_tensors_tell_mxfp4_from_nvfp4():
    weights = {"num_bits": 4, "type": "float"}
    for form, native in (("mxfp4-pack-quantized", "mxfp4"), ("nvfp4-pack-quantized", "nvfp4")):
        group = {"format": form, "weights": weights, "targets": ["Linear"]}
        q = {"quant_method": "compressed-tensors", "config_groups": {"group_0": group}, "ignore": ["lm_head"]}
        assert formats(LLAMA_8B, q)[0] == native


def test_the_rule_holds_where_a_checkpoint_names_nothing():
    assert parse_config({**DEEPSEEK_V3, "quantization_config": {"quant_method": "fp8"}}, "m").formats == ()
    m = parse_config({**GPT_OSS_120B, "quantization_config": {"quant_method": "mxfp4"}}, "m")
    assert m.formats == ()
    assert weight_format(m, "mxfp4", "attention_in") == "bf16"


def test_weights_follow_the_formats():
    """Experts of Qwen3-30B in NVFP4 and attention in BF16: 28.99 B x 0.5625 + the rest x 2 bytes."""
    m = parse_config({**QWEN3_30B_A3B, "quantization_config": {**NVFP4, "ignore": ["*self_attn*"]}}, "m")
    experts = 48 * 128 * 3 * 2048 * 768
    assert weight_bytes(m, "nvfp4") == pytest.approx(experts * 0.5625 + (m.parameters - experts) * 2)


def test_the_file_of_modelopt_beside_the_config_counts(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(LLAMA_8B))
    file = tmp_path / "hf_quant_config.json"
    file.write_text(json.dumps({"quantization": {"quant_algo": "FP8", "exclude_modules": ["lm_head"]}}))
    assert read_config(tmp_path).native_precision == "fp8"
    file.write_text("{")
    with pytest.raises(InputError, match=r"hf_quant_config\.json"):
        read_config(tmp_path)


def test_an_unknown_algorithm_is_refused():
    with pytest.raises(UnsupportedError, match="quant_algo 'W3A3'"):
        parse_config({**LLAMA_8B, "quantization_config": {"quant_method": "modelopt", "quant_algo": "W3A3"}}, "m")
