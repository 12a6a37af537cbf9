"""MLX LM on Apple silicon: `mlx_lm.server`, on a checkpoint or on what `mlx_lm.convert` made of it."""

from __future__ import annotations

from stackwright.deploy.command import LaunchCommand
from stackwright.deploy.request import LOOPBACK, LaunchRequest, basename
from stackwright.errors import UnsupportedError

_KV = {"bf16": "bf16"}
_BITS = {"int8": "8", "int4": "4"}


def command(r: LaunchRequest) -> LaunchCommand:
    """The command of one replica on one machine; context length and memory are not flags of this server."""
    at, s = r.layout, r.settings
    if at.n_chips > 1:
        raise UnsupportedError("mlx runs on one machine here: no parallelism over chips")
    r.kv_dtype("mlx", _KV)
    model, made = r.hub_id, f"{at.weight_precision} weights, as {r.hub_id} is taken to be"
    if at.weight_precision in _BITS and r.published != at.weight_precision:
        bits = _BITS[at.weight_precision]
        model = f"{basename(r.hub_id)}-{bits}bit"
        made = f"make the folder first: mlx_lm.convert --hf-path {r.hub_id} --mlx-path {model} -q --q-bits {bits}"
    elif at.weight_precision not in ("bf16", "mxfp4", *_BITS):
        raise UnsupportedError(f"mlx has no documented {at.weight_precision} weights")
    argv = ["mlx_lm.server", "--model", model, "--decode-concurrency", str(s.max_num_seqs)]
    argv += ["--prefill-step-size", str(s.max_num_batched_tokens), "--host", LOOPBACK, "--port", str(s.port)]
    what = f"mlx {r.version}: one replica on {r.chip.id}"
    return LaunchCommand(tuple(argv), env=dict(r.environment), note=f"{what}\n{made}", engine_version=r.version)
