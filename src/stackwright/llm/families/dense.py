"""Dense models: one feed-forward per layer beside grouped-query attention."""

from __future__ import annotations

from dataclasses import replace

from stackwright.errors import InputError, UnsupportedError
from stackwright.llm.architecture import Attention, FeedForward, Model
from stackwright.llm.attention_kinds import gqa
from stackwright.llm.families.parts import assemble, attention_layers, gated, plain, with_norm
from stackwright.llm.fields import Config, positive

_FFN_MULTIPLE = 256  # DeciLM rounds the intermediate size up to a multiple of this


def dense(config: Config, name: str) -> Model:
    """Llama, Mistral, Qwen2, Qwen3, MiMo, Phi, SmolLM, Granite: a gated feed-forward in every layer."""
    h, layers = positive(config, "hidden_size", name), positive(config, "num_hidden_layers", name)
    bias = bool(config.get("mlp_bias", False))
    ff = gated(h, positive(config, "intermediate_size", name), layers, bias=bias)
    return assemble(config, name, attention_layers(config, name), (ff,), ())


def olmo2(config: Config, name: str) -> Model:
    """OLMo 2 and 3: query and key norms over all heads."""
    model = dense(config, name)
    d = positive(config, "head_dim", name, model.hidden // model.attentions[0].heads)
    normed = tuple(with_norm(a, d * (a.heads + a.kv_heads)) for a in model.attentions)
    return replace(model, attentions=normed)


def ungated(config: Config, name: str) -> Model:
    """GPT-J and Falcon: a feed-forward of two matrices (up, down) beside or after the attention."""
    layers = positive(config, "num_hidden_layers", name, config.get("n_layer"))
    h = positive(config, "hidden_size", name, config.get("n_embd"))
    f = positive(config, "intermediate_size", name, config.get("n_inner") or config.get("ffn_hidden_size") or 4 * h)
    heads = positive(config, "num_attention_heads", name, config.get("n_head"))
    kv_heads = positive(config, "num_key_value_heads", name, config.get("num_kv_heads") or heads)
    context = positive(config, "max_position_embeddings", name, config.get("n_positions") or 2048)
    flat = {
        **config,
        "num_hidden_layers": layers,
        "hidden_size": h,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": context,
    }
    attention = gqa(flat, name, layers=layers, window=None, label="attention")
    return assemble(flat, name, (attention,), (plain(h, f, layers),), ())


def nemotron_nas(config: Config, name: str) -> Model:
    """Llama-Nemotron: `block_configs` prunes each layer by itself (class DeciLMForCausalLM).

    Attention groups and feed-forward widths differ by layer, and either may be missing; layers that are alike are
    counted together. The intermediate size is 2/3 of `ffn_mult` x h, rounded up to a multiple of 256.
    """
    h, layers = positive(config, "hidden_size", name), positive(config, "num_hidden_layers", name)
    blocks = config.get("block_configs")
    if not isinstance(blocks, list) or len(blocks) != layers:
        raise InputError(f"{name}: block_configs must list the {layers} layers")
    heads = positive(config, "num_attention_heads", name)
    attentions: dict[int, int] = {}
    widths: dict[int, int] = {}
    for i, block in enumerate(blocks):
        for part in ("attention", "ffn"):
            if (block.get(part) or {}).get("replace_with_linear"):
                raise UnsupportedError(f"{name}: block_configs[{i}].{part}.replace_with_linear is not covered")
        attention, ffn = block["attention"], block["ffn"]
        if attention.get("window_length") or attention.get("sparsify"):
            raise UnsupportedError(f"{name}: block_configs[{i}].attention has a window or is sparse: not covered")
        if not attention.get("no_op"):
            group = positive(attention, "n_heads_in_group", name)
            attentions[heads // group] = attentions.get(heads // group, 0) + 1
        if not ffn.get("no_op"):
            width = _rounded(2.0 * float(ffn["ffn_mult"]) * h / 3)
            widths[width] = widths.get(width, 0) + 1
    kinds: list[Attention] = []
    for kv_heads, n in sorted(attentions.items()):
        given = {**config, "num_key_value_heads": kv_heads}
        kinds.append(gqa(given, name, layers=n, window=None, label="attention"))
    ffs: list[FeedForward] = [replace(gated(h, f, n), name=f"dense_ffn_{f}") for f, n in sorted(widths.items())]
    parts = sum(attentions.values()) + sum(widths.values())
    return assemble(config, name, tuple(kinds), tuple(ffs), (), blocks=((parts + 1) // 2, parts + 1))


def _rounded(size: float) -> int:
    return -(-int(size) // _FFN_MULTIPLE) * _FFN_MULTIPLE
