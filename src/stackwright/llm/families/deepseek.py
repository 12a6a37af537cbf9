"""Latent attention with experts: DeepSeek V2 to V4, Kimi K2, GLM 5."""

from __future__ import annotations

from dataclasses import replace

from stackwright.errors import UnsupportedError
from stackwright.llm.architecture import Attention, Model
from stackwright.llm.attention_kinds import mla, sparse_mla
from stackwright.llm.compressed import compressed
from stackwright.llm.families.parts import assemble, expert_layers, gated, routed
from stackwright.llm.fields import Config, positive, whole


def deepseek_v3(config: Config, name: str) -> Model:
    """DeepSeek-V2, V3, R1, Kimi K2: MLA, `first_k_dense_replace` dense layers, then routed and shared experts."""
    layers = positive(config, "num_hidden_layers", name)
    return _with(config, name, (mla(config, name, layers=layers),))


def deepseek_v32(config: Config, name: str) -> Model:
    """DeepSeek-V3.2 and GLM-5: the layers of DeepSeek-V3 with sparse latent attention.

    `indexer_types` (GLM-5.2) names layers that share the tokens picked by an earlier one: they have no indexer.
    """
    layers = positive(config, "num_hidden_layers", name)
    kinds = config.get("indexer_types") or []
    shared = sum(k == "shared" for k in kinds)
    whole_ones = sparse_mla(config, name, layers=layers - shared)
    if not shared:
        return _with(config, name, (whole_ones,))
    following = replace(
        whole_ones,
        name="shared_sparse_mla",
        layers=shared,
        matrices=tuple(m for m in whole_ones.matrices if not m.name.startswith("index_")),
        index_elements=0.0,
        index_flops_per_pair=0.0,
    )
    return _with(config, name, (whole_ones, following))


def deepseek_v4(config: Config, name: str) -> Model:
    """DeepSeek-V4: compressed attention, experts in every layer, and several residual streams (`hc_mult`).

    The streams mix before and after each block by small matrices (manifold-constrained hyper-connections,
    arXiv 2512.24880): counted as norms, their element-wise work is not modelled. The first `num_hash_layers` route by
    a table of token ids instead of a router bias.
    """
    h, layers = positive(config, "hidden_size", name), positive(config, "num_hidden_layers", name)
    if whole(config, "first_k_dense_replace", name, 0):
        raise UnsupportedError(f"{name}: first_k_dense_replace (dense layers) is not covered in deepseek_v4")
    shared = whole(config, "n_shared_experts", name, 0) * positive(config, "moe_intermediate_size", name)
    experts = routed(config, name, layers=layers, shared=shared, correction=True)
    model = assemble(config, name, compressed(config, name, layers=layers), (), (experts,))
    streams = whole(config, "hc_mult", name, 0)
    mixing = streams * h * (2 + streams) * streams
    extra = 2 * layers * mixing + streams * h * streams
    return replace(model, norm_parameters=model.norm_parameters + float(extra))


def _with(config: Config, name: str, attentions: tuple[Attention, ...]) -> Model:
    """Dense layers, then routed and shared experts, below the given attention."""
    h, layers = positive(config, "hidden_size", name), positive(config, "num_hidden_layers", name)
    sparse = expert_layers(config, name)
    shared = whole(config, "n_shared_experts", name, 0) * positive(config, "moe_intermediate_size", name)
    correction = config.get("topk_method") == "noaux_tc"
    experts = routed(config, name, layers=sparse, shared=shared, correction=correction, keys=("n_routed_experts",))
    ff = gated(h, positive(config, "intermediate_size", name), layers - sparse)
    return assemble(config, name, attentions, (ff,), (experts,))
