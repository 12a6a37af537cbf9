"""What the families share: feed-forwards, experts, where they stand, and the assembled model."""

from __future__ import annotations

from dataclasses import replace

from stackwright.errors import InputError
from stackwright.llm.architecture import Attention, Experts, FeedForward, Matrix, Model
from stackwright.llm.attention_kinds import gqa
from stackwright.llm.fields import Config, positive, whole
from stackwright.llm.quantised import native_precision


def gated(h: int, intermediate: int, layers: int, *, bias: bool = False) -> FeedForward:
    """Gated feed-forward: gate, up and down, 3 h f parameters (plus 2 f + h with biases)."""
    size = float(h * intermediate)
    matrices = (
        Matrix("gate_proj", "ffn", size + (intermediate if bias else 0), "expert"),
        Matrix("up_proj", "ffn", size + (intermediate if bias else 0), "expert"),
        Matrix("down_proj", "ffn", size + (h if bias else 0), "expert"),
    )
    return FeedForward("dense_ffn", layers, matrices)


def plain(h: int, intermediate: int, layers: int) -> FeedForward:
    """Feed-forward of two matrices: up and down, 2 h f parameters."""
    up = Matrix("up_proj", "ffn", float(h * intermediate), "expert")
    return FeedForward("dense_ffn", layers, (up, replace(up, name="down_proj")))


def routed(
    config: Config,
    name: str,
    *,
    layers: int,
    shared: int,
    correction: bool = False,
    keys: tuple[str, ...] = ("n_routed_experts", "num_experts", "num_local_experts"),
) -> Experts:
    """Gated experts of `moe_intermediate_size` beside shared ones of `shared` in all, a router of h E (+ E) weights."""
    h = positive(config, "hidden_size", name)
    key = next((k for k in keys if config.get(k) is not None), keys[0])
    n_experts, f = positive(config, key, name), positive(config, "moe_intermediate_size", name)
    return Experts(
        "experts",
        layers,
        n_experts,
        top_k(config, name, n_experts),
        3.0 * h * f,
        3.0 * h * shared,
        float(h * n_experts + (n_experts if correction else 0)),
    )


def assemble(
    config: Config,
    name: str,
    attentions: tuple[Attention, ...],
    ffs: tuple[FeedForward, ...],
    experts: tuple[Experts, ...],
    *,
    blocks: tuple[int, int] | None = None,
) -> Model:
    """The model of these layers. `blocks`: layers in all and norms in all, where not every layer is a pair of both."""
    h = positive(config, "hidden_size", name)
    layers = blocks[0] if blocks else positive(config, "num_hidden_layers", name)
    norms = blocks[1] if blocks else 2 * layers + 1
    return Model(
        id=name,
        hidden=h,
        vocabulary=positive(config, "vocab_size", name),
        layers=layers,
        attentions=tuple(a for a in attentions if a.layers),
        feed_forwards=tuple(f for f in ffs if f.layers),
        experts=tuple(e for e in experts if e.layers),
        norm_parameters=float(h * norms),
        tied_embeddings=bool(config.get("tie_word_embeddings", False)),
        max_context=positive(config, "max_position_embeddings", name),
        native_precision=native_precision(config),
        family="moe" if any(e.layers for e in experts) else "dense",
    )


def layer_kinds(config: Config, name: str, default: list[str] | None = None) -> list[str]:
    """`layer_types`, one per layer, or the family's own pattern where the field is absent."""
    layers = positive(config, "num_hidden_layers", name)
    kinds = config.get("layer_types")
    found = list(default or []) if kinds is None else list(kinds)
    if len(found) != layers:
        raise InputError(f"{name}: layer_types lists {len(found)} layers, num_hidden_layers says {layers}")
    return found


def attention_layers(config: Config, name: str) -> tuple[Attention, ...]:
    """Full and sliding-window attention layers, as the model classes of Hugging Face transformers place them.

    `layer_types` decides where it is given. Otherwise Mistral and Mixtral slide in every layer when
    `sliding_window` is set; Qwen only with `use_sliding_window`, from layer `max_window_layers` on; Llama
    never.
    """
    layers, kinds = positive(config, "num_hidden_layers", name), config.get("layer_types")
    family = str(config.get("model_type", "")).lower()
    window = config.get("sliding_window") or None
    by_switch = family.startswith("qwen") or family in _SWITCHED
    if family in _NEVER or (by_switch and not config.get("use_sliding_window", False)):
        window = None
    if kinds is not None:
        layer_kinds(config, name)
    if window is None:
        sliding = 0
    elif kinds is not None:
        sliding = sum(k == "sliding_attention" for k in kinds)
    elif by_switch:
        sliding = layers - min(layers, whole(config, "max_window_layers", name, layers))
    else:
        sliding = layers
    if sliding in (0, layers):
        return (gqa(config, name, layers=layers, window=window if sliding else None, label="attention"),)
    return (
        gqa(config, name, layers=layers - sliding, window=None, label="full_attention"),
        gqa(config, name, layers=sliding, window=window, label="sliding_attention"),
    )


_NEVER = frozenset({"llama", "glm4_moe", "nemotron-nas", "granite"})
_SWITCHED = frozenset({"mimo", "smollm3"})


def expert_layers(config: Config, name: str) -> int:
    """Layers with routed experts: by list (`mlp_layer_types`, `moe_layer_freq`), or every n-th from the first on.

    `decoder_sparse_step` n takes layers n - 1, 2 n - 1, ... but for `mlp_only_layers` (Qwen); `moe_layer_freq` n takes
    those divisible by n from `first_k_dense_replace` on (DeepSeek).
    """
    layers = positive(config, "num_hidden_layers", name)
    first, frequency = whole(config, "first_k_dense_replace", name, 0), config.get("moe_layer_freq")
    if first > layers:
        raise InputError(f"{name}: first_k_dense_replace = {first} exceeds the {layers} layers")
    for key, listed in (("mlp_layer_types", config.get("mlp_layer_types")), ("moe_layer_freq", frequency)):
        if isinstance(listed, list):
            if len(listed) != layers:
                raise InputError(f"{name}: {key} lists {len(listed)} layers, num_hidden_layers says {layers}")
            return sum(v not in (0, "dense", False) for v in listed)
    every = positive(config, "moe_layer_freq", name, 1)
    step, dense = positive(config, "decoder_sparse_step", name, 1), set(config.get("mlp_only_layers") or [])
    return sum(i >= first and i % every == 0 and (i + 1) % step == 0 and i not in dense for i in range(layers))


def top_k(config: Config, name: str, n_experts: int) -> int:
    """Experts per token; more than there are is an error."""
    others = (config.get(k) for k in ("experts_per_token", "num_experts_per_token", "top_k_experts", "moe_top_k"))
    k = positive(config, "num_experts_per_tok", name, next((v for v in others if v is not None), None))
    if k > n_experts:
        raise InputError(f"{name}: num_experts_per_tok = {k} exceeds the {n_experts} experts")
    return k


def with_norm(attention: Attention, parameters: float) -> Attention:
    """The attention with query-key norms (and the like) of that many parameters in place of those it has."""
    kept = tuple(m for m in attention.matrices if m.role != "norm")
    return replace(attention, matrices=(*kept, Matrix("qk_norm", "norm", float(parameters), "replicated")))
