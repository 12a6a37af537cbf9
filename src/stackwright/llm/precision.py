"""Number formats: bytes per element, and which parts of a model a checkpoint of a precision quantises."""

from __future__ import annotations

from stackwright.errors import InputError
from stackwright.llm.architecture import Model, Role

BYTES_PER_ELEMENT = {
    "bf16": 2.0,
    "fp8": 1.0,  # E4M3; block scales of 128 x 128 add 0.02 %
    "int8": 1.0,
    "nvfp4": 0.5 + 1 / 16,  # one FP8 scale per 16 elements (NVIDIA NVFP4 format)
    "mxfp4": 0.5 + 1 / 32,  # one E8M0 scale per 32 elements (OCP Microscaling Formats v1.0, section 5.1)
    "int4": 0.5 + 2 / 32,  # group size 32 with BF16 scales (compressed-tensors checkpoints of Kimi K2)
}
WEIGHT_PRECISIONS = tuple(BYTES_PER_ELEMENT)
KV_PRECISIONS = ("bf16", "fp8")

_NEVER_QUANTISED: frozenset[Role] = frozenset({"embedding", "head", "norm", "router"})


def weight_format(model: Model, weight_precision: str, role: Role) -> str:
    """The format in which weights of `role` are stored in a checkpoint of `weight_precision`.

    Rules, from the published quantisation configs: heads, embeddings, norms and routers stay BF16; native
    MXFP4 (gpt-oss) and INT4 (Kimi) quantise routed experts only (`modules_to_not_convert` of their
    config.json); NVFP4 and MXFP4 checkpoints of MLA models leave the query and latent projections in BF16 and
    quantise the output projection (`exclude_modules` of nvidia/DeepSeek-V3.1-NVFP4). Where the checkpoint states
    formats by role (`Model.formats`), those hold instead.
    """
    if weight_precision not in BYTES_PER_ELEMENT:
        raise InputError(f"unknown precision {weight_precision!r}; known: {', '.join(WEIGHT_PRECISIONS)}")
    if weight_precision == "bf16" or role in _NEVER_QUANTISED:
        return "bf16"
    for precision, stated_role, form in model.formats:
        if precision == weight_precision and stated_role == role:
            return form
    return rule_format(model, weight_precision, role)


def rule_format(model: Model, weight_precision: str, role: Role) -> str:
    """The format of a linear role by the rules above, whatever the checkpoint states."""
    experts_only = model.family == "moe" and (
        weight_precision == "int4" or (weight_precision == "mxfp4" and not model.is_mla)
    )
    if experts_only:
        return weight_precision if role == "expert" else "bf16"
    if model.is_mla and weight_precision in ("nvfp4", "mxfp4") and role == "attention_in":
        return "bf16"
    return weight_precision


def weight_bytes_per_parameter(model: Model, weight_precision: str, role: Role) -> float:
    """Stored bytes per parameter of `role`, scales included."""
    return BYTES_PER_ELEMENT[weight_format(model, weight_precision, role)]


def weight_bytes(model: Model, weight_precision: str) -> float:
    """Bytes of all weights of the checkpoint, unsharded."""

    def of(role: Role, parameters: float) -> float:
        return parameters * weight_bytes_per_parameter(model, weight_precision, role)

    total = of("embedding", model.embedding_parameters) + of("norm", model.norm_parameters)
    for a in model.attentions:
        total += a.layers * sum(of(m.role, m.parameters) for m in a.matrices)
    for f in model.feed_forwards:
        total += f.layers * sum(of(m.role, m.parameters) for m in f.matrices)
    for e in model.experts:
        total += e.layers * (
            of("expert", e.n_experts * e.expert_parameters)
            + of("shared_expert", e.shared_parameters)
            + of("router", e.router_parameters)
        )
    return total
