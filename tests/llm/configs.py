"""Facts of published config.json files, as far as they decide parameters, cache and formats."""

from __future__ import annotations

from typing import Any


def _llama(h: int, f: int, layers: int, heads: int, **other: Any) -> dict[str, Any]:
    return {
        "model_type": "llama",
        "hidden_size": h,
        "intermediate_size": f,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
        "max_position_embeddings": 131072,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": False,
        **other,
    }


def _qwen3(h: int, f: int, layers: int, heads: int, **other: Any) -> dict[str, Any]:
    return {
        "model_type": "qwen3",
        "hidden_size": h,
        "intermediate_size": f,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 151936,
        "max_position_embeddings": 40960,
        "attention_bias": False,
        "sliding_window": None,
        "use_sliding_window": False,
        "max_window_layers": layers,
        "tie_word_embeddings": False,
        **other,
    }


def _qwen3_moe(h: int, f: int, layers: int, heads: int, **other: Any) -> dict[str, Any]:
    moe = {"num_experts": 128, "num_experts_per_tok": 8, "decoder_sparse_step": 1, "mlp_only_layers": []}
    config = _qwen3(h, 3 * f, layers, heads, **moe)
    return {**config, "model_type": "qwen3_moe", "moe_intermediate_size": f, "num_key_value_heads": 4, **other}


def _mixtral(h: int, f: int, layers: int, heads: int, context: int) -> dict[str, Any]:
    return {
        "model_type": "mixtral",
        "hidden_size": h,
        "intermediate_size": f,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": 8,
        "num_local_experts": 8,
        "num_experts_per_tok": 2,
        "vocab_size": 32000,
        "max_position_embeddings": context,
        "sliding_window": None,
        "tie_word_embeddings": False,
    }


def _gpt_oss(layers: int, experts: int) -> dict[str, Any]:
    return {
        "model_type": "gpt_oss",
        "hidden_size": 2880,
        "intermediate_size": 2880,
        "num_hidden_layers": layers,
        "layer_types": ["sliding_attention", "full_attention"] * (layers // 2),
        "sliding_window": 128,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
        "head_dim": 64,
        "attention_bias": True,
        "num_local_experts": experts,
        "num_experts_per_tok": 4,
        "experts_per_token": 4,
        "vocab_size": 201088,
        "max_position_embeddings": 131072,
        "tie_word_embeddings": False,
        "quantization_config": {"quant_method": "mxfp4"},
    }


LLAMA_8B = _llama(4096, 14336, 32, 32)
LLAMA_70B = _llama(8192, 28672, 80, 64)
LLAMA_405B = _llama(16384, 53248, 126, 128)
QWEN3_06B = _qwen3(1024, 3072, 28, 16, tie_word_embeddings=True)
QWEN3_8B = _qwen3(4096, 12288, 36, 32)
QWEN3_32B = _qwen3(5120, 25600, 64, 64)
QWEN3_30B_A3B = _qwen3_moe(2048, 768, 48, 32)
QWEN3_235B_A22B = _qwen3_moe(4096, 1536, 94, 64)
MIXTRAL_8X7B = _mixtral(4096, 14336, 32, 32, 32768)
MIXTRAL_8X22B = _mixtral(6144, 16384, 56, 48, 65536)
GPT_OSS_20B = _gpt_oss(24, 32)
GPT_OSS_120B = _gpt_oss(36, 128)
DEEPSEEK_V3: dict[str, Any] = {
    "model_type": "deepseek_v3",
    "hidden_size": 7168,
    "intermediate_size": 18432,
    "moe_intermediate_size": 2048,
    "num_hidden_layers": 61,
    "first_k_dense_replace": 3,
    "moe_layer_freq": 1,
    "num_attention_heads": 128,
    "num_key_value_heads": 128,
    "q_lora_rank": 1536,
    "kv_lora_rank": 512,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "num_experts_per_tok": 8,
    "topk_method": "noaux_tc",
    "vocab_size": 129280,
    "max_position_embeddings": 163840,
    "tie_word_embeddings": False,
    "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]},
}
KIMI_K2: dict[str, Any] = {
    **DEEPSEEK_V3,
    "model_type": "kimi_k2",
    "first_k_dense_replace": 1,
    "num_attention_heads": 64,
    "num_key_value_heads": 64,
    "n_routed_experts": 384,
    "vocab_size": 163840,
    "max_position_embeddings": 131072,
}
