"""SGLang: `sglang.launch_server`. Sizes and limits are of the whole group; the engine divides them itself."""

from __future__ import annotations

from stackwright.deploy.command import LaunchCommand
from stackwright.deploy.request import LOOPBACK, NODE_0, LaunchRequest
from stackwright.errors import UnsupportedError

_KV = {"bf16": "bf16", "fp8": "fp8_e4m3"}
_RENDEZVOUS_PORT = 20000


def command(r: LaunchRequest) -> LaunchCommand:
    """The command of one replica.

    `--tp-size` is the whole group (tp x attention_dp), `--dp-size` the copies of the attention in it. With attention
    data parallelism SGLang divides `--max-running-requests` and `--chunked-prefill-size` by `--dp-size`
    (server_args.py, model_runner.py), so both are given multiplied; `--max-prefill-tokens` it does not divide.
    """
    at, s = r.layout, r.settings
    quantization, kv = r.online_quantization("sglang"), r.kv_dtype("sglang", _KV)
    argv = ["python3", "-m", "sglang.launch_server", "--model-path", r.hub_id]
    argv += ["--tp-size", str(at.group), "--pp-size", str(at.pp), "--dp-size", str(at.attention_dp)]
    argv += ["--enable-dp-attention"] if at.attention_dp > 1 else []
    argv += ["--ep-size", str(at.ep)]
    argv += ["--dtype", "bfloat16" if at.weight_precision == "bf16" else "auto"]
    argv += ["--quantization", quantization] if quantization else []
    argv += ["--kv-cache-dtype", kv]
    argv += ["--max-running-requests", str(r.seqs_per_rank * at.attention_dp)]
    argv += ["--chunked-prefill-size", str(s.max_num_batched_tokens * at.attention_dp)]
    argv += ["--max-prefill-tokens", str(s.max_num_batched_tokens)]
    argv += ["--context-length", str(s.max_model_len), "--mem-fraction-static", str(s.memory_fraction)]
    argv += [] if s.prefix_caching else ["--disable-radix-cache"]
    spread, note = _machines(r)
    argv += [*spread, "--host", LOOPBACK, "--port", str(s.port)]
    divided = f"SGLang divides --max-running-requests and --chunked-prefill-size by --dp-size ({at.attention_dp})"
    return LaunchCommand(
        tuple(argv),
        env=dict(r.environment),
        note=r.notes("sglang", divided if at.attention_dp > 1 else "", note),
        engine_version=r.version,
    )


def _machines(r: LaunchRequest) -> tuple[list[str], str]:
    """Flags and note for several machines: stages fill whole machines, or machines divide each stage."""
    if r.nodes == 1:
        return [], ""
    at = r.layout
    if at.pp % r.nodes and (r.nodes % at.pp or at.group % (r.nodes // at.pp)):
        raise UnsupportedError(f"sglang cannot place {at.pp} stages of {at.group} chips on {r.nodes} machines")
    address = f"{NODE_0}:{_RENDEZVOUS_PORT}"
    return (
        ["--nnodes", str(r.nodes), "--node-rank", "0", "--dist-init-addr", address],
        f"replace {NODE_0} by the address of node 0; on node i run the same with --node-rank i",
    )
