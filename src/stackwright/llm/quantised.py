"""What a quantised checkpoint states: the format of its weights, as a whole and by role.

Reads `quantization_config` as the common tools write it: block FP8 (DeepSeek), compressed-tensors, ModelOpt (also its
`hf_quant_config.json`), MXFP4, GPTQ, AWQ, Quark. Names of modules are mapped to roles; a role has one format, that of
most of its layers. A checkpoint of mixed formats is called by the one that holds most of its parameters.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from stackwright.errors import UnsupportedError
from stackwright.llm.architecture import Formats, Model, Role
from stackwright.llm.fields import Config

LINEAR: tuple[Role, ...] = ("attention_in", "attention_out", "ffn", "expert", "shared_expert")
"""Roles whose weights are linear layers of the blocks: what a tool quantises by default."""

_METHODS = {"fp8": "fp8", "fbgemm_fp8": "fp8", "mxfp4": "mxfp4", "gptq": "int4", "awq": "int4", "auto-round": "int4"}
_ALGORITHMS = (("NVFP4", "nvfp4"), ("MXFP4", "mxfp4"), ("FP8", "fp8"), ("W4A16", "int4"), ("INT4", "int4"),
               ("W8A8", "int8"), ("INT8", "int8"),)  # fmt: skip
_NOT_LINEAR = re.compile(r"norm|bias|conv|index|vis|audio|mtp|eh_proj|projector|patch_merge|shared_expert_gate")
_ROUTER = re.compile(r"router|\.gate$|^gate$")
_OUTPUT = re.compile(r"\bo_proj|out_proj|\bwo\b|\bo_[ab]_proj")
_INPUT = re.compile(r"\b[qkv]_|qkv|in_proj|kv_[ab]|\bw[qkv]")
_WHOLE_LAYER = re.compile(r"layers\.\d+\.?\*$")
_LAYER = re.compile(r"layers\.(\d+)")


def native_precision(config: Config) -> str:
    """The weight format that the checkpoint states for its linear layers; `bf16` when it states none known here."""
    q: Config = config.get("quantization_config") or {}
    return _base(q) if q else "bf16"


def stated_formats(config: Config, model: Model) -> dict[Role, str]:
    """The format of every linear role of `model`; empty where the checkpoint names no modules (or is not quantised)."""
    q: Config = config.get("quantization_config") or {}
    base, listed = _base(q), _listed(q)
    if not (listed or _excluded(q) or config.get("expert_dtype")):
        return {}
    layers = _layers(model)
    last = config.get("num_hidden_layers") or math.inf
    default = base if not listed or q.get("quant_method") == "fp8" else "bf16"
    formats: dict[Role, str] = {role: default for role in LINEAR if role in layers}
    if not listed:
        formats |= dict.fromkeys(_mostly(_excluded(q), layers, last), "bf16")
    for form, names in listed.items():
        formats |= dict.fromkeys(_mostly(names, layers, last), form)
    if config.get("expert_dtype") == "fp4" and "expert" in formats and not listed:
        formats["expert"] = "mxfp4"  # DeepSeek-V4: experts of 4 bits with E8M0 scales per 32, the rest in FP8
    return formats


def native_formats(config: Config, model: Model) -> tuple[str, Formats]:
    """Native precision and formats of a checkpoint: the precision is the format of most of the parameters."""
    formats = stated_formats(config, model)
    if not formats:
        return model.native_precision, ()
    sizes: Counter[str] = Counter()
    for role, n in _parameters(model).items():
        sizes[formats[role]] += int(n)
    quantised = {form: n for form, n in sizes.items() if form != "bf16"}
    if not quantised:
        return "bf16", ()
    native = max(quantised, key=lambda form: quantised[form])
    return native, tuple((native, role, form) for role, form in formats.items())


def _base(q: Config) -> str:
    """The format of linear layers that no list names."""
    method, algorithm = str(q.get("quant_method", "")).lower(), str(q.get("quant_algo", "")).upper()
    if method in ("", "modelopt") and algorithm not in ("", "NONE", "MIXED_PRECISION"):
        found = next((form for word, form in _ALGORITHMS if word in algorithm), None)
        if found is None:
            known = ", ".join(word for word, _ in _ALGORITHMS)
            raise UnsupportedError(f"quant_algo {algorithm!r} is not covered; covered: {known}, MIXED_PRECISION")
        return found
    if method == "compressed-tensors":
        group: Config = next(iter((q.get("config_groups") or {}).values()), {})
        return _group_format(group, str(q.get("format", "")))
    if method == "quark":
        weight: Any = (q.get("global_quant_config") or {}).get("weight") or {}
        weight = weight[0] if isinstance(weight, list) and weight else weight
        return {"fp4": "mxfp4", "fp8_e4m3": "fp8", "int8": "int8", "int4": "int4"}.get(weight.get("dtype"), "bf16")
    return _METHODS.get(method, "bf16") if q.get("bits", 4) == 4 else "int8"


def _group_format(group: Config, fallback: str) -> str:
    weights: Config = group.get("weights") or {}
    bits, kind = weights.get("num_bits", 4), weights.get("type", "int")
    if "mxfp4" in str(group.get("format", fallback)):
        return "mxfp4"
    return {(8, "float"): "fp8", (8, "int"): "int8", (4, "float"): "nvfp4"}.get((bits, kind), "int4")


def _excluded(q: Config) -> list[str]:
    return [
        str(n) for key in ("ignore", "modules_to_not_convert", "exclude_modules", "exclude") for n in q.get(key) or ()
    ]


def _listed(q: Config) -> dict[str, list[str]]:
    """Names of modules by format, where the checkpoint lists what it quantises."""
    found: dict[str, list[str]] = {}
    for name, entry in (q.get("quantized_layers") or {}).items():
        algorithm = str(entry.get("quant_algo") if isinstance(entry, dict) else entry).upper()
        form = next((f for word, f in _ALGORITHMS if word in algorithm), "bf16")
        found.setdefault(form, []).append(str(name))
    if found or len(q.get("config_groups") or {}) < 2:
        return found
    for group in q["config_groups"].values():
        targets = [t for t in group.get("targets") or () if t != "Linear"]
        found.setdefault(_group_format(group, str(q.get("format", ""))), []).extend(targets)
    return found


def _mostly(names: Iterable[str], layers: Mapping[Role, int], last: float) -> list[Role]:
    """Roles of which the names cover at least half of the layers."""
    seen: dict[Role, set[str]] = {}
    every: set[Role] = set()
    for name in names:
        number = _LAYER.search(name)
        if number is not None and int(number.group(1)) >= last:
            continue  # a module of multi-token prediction behind the last layer
        for role in _roles(name, layers):
            if number is None:
                every.add(role)
            else:
                seen.setdefault(role, set()).add(number.group(1))
    return [r for r in LINEAR if r in layers and (r in every or 2 * len(seen.get(r, ())) >= layers[r])]


def _roles(name: str, layers: Mapping[Role, int]) -> tuple[Role, ...]:
    """The roles that a module name (or a pattern of names) speaks of."""
    n = name.lower().replace("\\", "")
    if _WHOLE_LAYER.search(n):
        number = _LAYER.search(n)
        dense = number is not None and ("expert" not in layers or int(number.group(1)) < layers.get("ffn", 0))
        return ("attention_in", "attention_out", "ffn") if dense else ("attention_in", "attention_out")
    if _NOT_LINEAR.search(n) or _ROUTER.search(n):
        return ()
    if "expert" in n:
        return ("shared_expert",) if "shared_expert" in n or "share_expert" in n else ("expert",)
    if "attn" in n or "mixer" in n or "attention" in n:
        if _OUTPUT.search(n):
            return ("attention_out",)
        if _INPUT.search(n):
            return ("attention_in",)
        return ("attention_in", "attention_out") if "mixer" not in n else ("ffn",)
    return ("ffn",) if re.search(r"mlp|ffn|feed_forward", n) else ()


def _layers(model: Model) -> dict[Role, int]:
    """Layers that have weights of each linear role."""
    attention = sum(a.layers for a in model.attentions)
    found: dict[Role, int] = {"attention_in": attention, "attention_out": attention}
    if model.feed_forwards:
        found["ffn"] = max(f.layers for f in model.feed_forwards)
    if model.experts:
        found["expert"] = sum(e.layers for e in model.experts)
        if any(e.shared_parameters for e in model.experts):
            found["shared_expert"] = found["expert"]
    return found


def _parameters(model: Model) -> dict[Role, float]:
    """Parameters of each linear role over all layers."""
    found: dict[Role, float] = {}
    blocks = [(a.layers, a.matrices) for a in model.attentions] + [(f.layers, f.matrices) for f in model.feed_forwards]
    for layers, matrices in blocks:
        for m in matrices:
            if m.role in LINEAR:
                found[m.role] = found.get(m.role, 0.0) + layers * m.parameters
    for e in model.experts:
        found["expert"] = found.get("expert", 0.0) + e.layers * e.n_experts * e.expert_parameters
        if e.shared_parameters:
            found["shared_expert"] = found.get("shared_expert", 0.0) + e.layers * e.shared_parameters
    return found
