"""llama.cpp: `llama-server` on a GGUF file, which its own converter makes of a checkpoint."""

from __future__ import annotations

from pathlib import Path

from stackwright.deploy.command import LaunchCommand
from stackwright.deploy.request import LOOPBACK, LaunchRequest, basename
from stackwright.errors import UnsupportedError

_KV = {"bf16": "f16", "int8": "q8_0"}
_TYPES = {"bf16": "BF16", "int8": "Q8_0", "int4": "Q4_0", "mxfp4": "MXFP4_MOE"}
_ON_CPU = frozenset({"xeon", "arm-cpu"})


def command(r: LaunchRequest) -> LaunchCommand:
    """The command of one replica on one machine.

    `--ctx-size` is shared by the slots, so it is their number times the context of a request; the cards of a machine
    hold whole layers (`--split-mode layer`). How much memory to use is not a flag: the server fits itself.
    """
    at, s = r.layout, r.settings
    if at.tp > 1 or at.ep > 1 or at.attention_dp > 1:
        raise UnsupportedError("llama.cpp splits a model by layers only (pp): no tensor, expert or data parallelism")
    if r.nodes > 1:
        raise UnsupportedError("llama.cpp over several machines (RPC) has no launch command here")
    if at.weight_precision not in _TYPES:
        raise UnsupportedError(
            f"llama.cpp has no documented {at.weight_precision} weights (it has {', '.join(_TYPES)})"
        )
    kv, form = r.kv_dtype("llama.cpp", _KV), _TYPES[at.weight_precision]
    file = f"{basename(r.hub_id)}-{form}.gguf"
    argv = ["llama-server", "--model", file]
    argv += ["--parallel", str(s.max_num_seqs), "--ctx-size", str(s.max_num_seqs * s.max_model_len)]
    argv += ["--batch-size", str(s.max_num_batched_tokens)]
    argv += ["--cache-type-k", kv, "--cache-type-v", kv]
    if r.chip.family not in _ON_CPU:
        argv += ["--n-gpu-layers", "all", "--split-mode", "layer" if at.pp > 1 else "none"]
    argv += ["--host", LOOPBACK, "--port", str(s.port)]
    what = f"llama.cpp {r.version}: one replica on {at.n_chips} x {r.chip.id} ({at})"
    on_disk = Path(r.hub_id).is_dir()
    of = f"convert_hf_to_gguf.py {r.hub_id}" if on_disk else f"download {r.hub_id}, convert_hf_to_gguf.py"
    quantised = "" if at.weight_precision == "bf16" else f", then llama-quantize to {form}"
    made = f"make the file first: {of} --outtype bf16{quantised}"
    return LaunchCommand(tuple(argv), env=dict(r.environment), note=f"{what}\n{made}", engine_version=r.version)
