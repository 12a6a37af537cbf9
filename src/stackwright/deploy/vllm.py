"""vLLM: `vllm serve`. Data-parallel ranks hold one copy of the attention each; limits are per rank."""

from __future__ import annotations

from stackwright.deploy.command import LaunchCommand
from stackwright.deploy.request import LOOPBACK, NODE_0, LaunchRequest
from stackwright.errors import UnsupportedError

_KV = {"bf16": "auto", "fp8": "fp8", "nvfp4": "nvfp4"}
_NO_BF16 = frozenset({"turing"})
_PLUGINS = {
    "tpu": "TPU", "tpu-v5": "TPU", "tpu8": "TPU", "gaudi2": "Gaudi", "gaudi3": "Gaudi", "ascend": "Ascend",
    "ascend950": "Ascend",
}  # fmt: skip


def command(r: LaunchRequest) -> LaunchCommand:
    """The command of one replica.

    vLLM spreads experts over all ranks of a stage or over none, so an expert-parallel size in between is refused.
    `--max-num-seqs` and `--max-num-batched-tokens` hold for every data-parallel rank.
    """
    at, s = r.layout, r.settings
    if at.ep not in (1, at.group):
        raise UnsupportedError(f"vllm spreads experts over all {at.group} chips of a stage or none, not over {at.ep}")
    quantization, kv = r.online_quantization("vllm"), r.kv_dtype("vllm", _KV)
    argv = ["vllm", "serve", r.hub_id]
    argv += ["--tensor-parallel-size", str(at.tp), "--pipeline-parallel-size", str(at.pp)]
    argv += ["--data-parallel-size", str(at.attention_dp)]
    argv += ["--enable-expert-parallel"] if at.ep > 1 else []
    half = "half" if r.chip.family in _NO_BF16 else "bfloat16"
    argv += ["--dtype", half if at.weight_precision == "bf16" or r.chip.family in _NO_BF16 else "auto"]
    argv += ["--quantization", quantization] if quantization else []
    argv += ["--kv-cache-dtype", kv]
    argv += [
        "--max-num-seqs",
        str(r.seqs_per_rank),
        "--max-num-batched-tokens",
        str(s.max_num_batched_tokens),
    ]
    argv += ["--max-model-len", str(s.max_model_len), "--gpu-memory-utilization", str(s.memory_fraction)]
    argv += ["--enable-chunked-prefill"]
    argv += ["--enable-prefix-caching" if s.prefix_caching else "--no-enable-prefix-caching"]
    spread, note = _machines(r)
    argv += [*spread, "--host", LOOPBACK, "--port", str(s.port)]
    plugin = _PLUGINS.get(r.chip.family, "")
    ranks = f"--max-num-seqs is per data-parallel rank ({at.attention_dp} ranks)"
    more = (
        ranks if at.attention_dp > 1 else "",
        r.checkpoint_kv_note(kv),
        f"the {plugin} plugin of vLLM is a separate release; the flags are those of vLLM itself" if plugin else "",
        note,
    )
    return LaunchCommand(
        tuple(argv),
        env=dict(r.environment),
        note=r.notes("vllm", *more),
        engine_version=r.version,
    )


def _machines(r: LaunchRequest) -> tuple[list[str], str]:
    """Flags and note for several machines (vLLM 0.26.0 vllm/config/parallel.py, entrypoints/cli/serve.py)."""
    if r.nodes == 1:
        return [], ""
    if _PLUGINS.get(r.chip.family) == "TPU":
        note = "start a Ray cluster over all machines first; run this on its head"
        return ["--distributed-executor-backend", "ray"], note
    rank_chips = r.layout.tp * r.layout.pp
    if r.local_chips % rank_chips and rank_chips % r.local_chips:
        raise UnsupportedError(
            f"vllm cannot place data-parallel ranks of {rank_chips} chips on machines that give {r.local_chips} each"
        )
    flags = ["--distributed-executor-backend", "mp", "--nnodes", str(r.nodes), "--node-rank", "0"]
    return (
        [*flags, "--master-addr", NODE_0],
        f"replace {NODE_0} by the address of node 0; on node i run the same with --node-rank i and --headless added",
    )
