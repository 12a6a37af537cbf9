"""TensorRT-LLM: `trtllm-serve` on the PyTorch backend, with the options that have no flag in a YAML file."""

from __future__ import annotations

import yaml

from stackwright.deploy.command import LaunchCommand
from stackwright.deploy.request import LOOPBACK, LaunchRequest
from stackwright.errors import UnsupportedError

FILE = "extra_llm_api_options.yaml"
_KV = {"bf16": "auto", "fp8": "fp8", "nvfp4": "nvfp4"}


def command(r: LaunchRequest) -> LaunchCommand:
    """The command of one replica and its options file.

    `--tp_size` is the whole group; with `enable_attention_dp` every one of its ranks is an attention copy, so tensor
    parallel attention inside a copy is refused. `--max_batch_size` and `--max_num_tokens` are per attention copy.
    The file's `kv_cache_config` replaces the one made of the flags as a whole (llm_args.py
    update_llm_args_with_extra_dict), so it repeats the memory fraction.
    """
    at, s = r.layout, r.settings
    if at.attention_dp > 1 and at.tp > 1:
        raise UnsupportedError(
            f"tensorrt-llm has attention data parallelism over all {at.group} chips of a stage or none, "
            f"not {at.attention_dp} copies of {at.tp} chips"
        )
    r.online_quantization("tensorrt-llm", frozenset())
    kv = r.kv_dtype("tensorrt-llm", _KV)
    options = {
        "enable_attention_dp": at.attention_dp > 1,
        "kv_cache_config": {
            "dtype": kv,
            "enable_block_reuse": s.prefix_caching,
            "free_gpu_memory_fraction": s.memory_fraction,
        },
    }
    argv = ["trtllm-serve", r.hub_id, "--backend", "pytorch"]
    argv += ["--tp_size", str(at.group), "--pp_size", str(at.pp), "--ep_size", str(at.ep)]
    argv += ["--gpus_per_node", str(r.local_chips)] if r.nodes > 1 else []
    argv += ["--max_batch_size", str(r.seqs_per_rank), "--max_num_tokens", str(s.max_num_batched_tokens)]
    argv += ["--max_seq_len", str(s.max_model_len)]
    argv += ["--kv_cache_free_gpu_memory_fraction", str(s.memory_fraction), "--enable_chunked_prefill"]
    argv += ["--extra_llm_api_options", FILE, "--host", LOOPBACK, "--port", str(s.port)]
    memory = "the memory fraction is of what weights and buffers leave free, not of the whole device"
    ranks = f"--max_batch_size is per attention rank ({at.attention_dp} ranks)"
    slurm = f"run once inside a Slurm allocation of {r.nodes} machines; {FILE} must lie on a disk that all of them see"
    more = (
        memory,
        ranks if at.attention_dp > 1 else "",
        r.checkpoint_kv_note(kv),
        slurm if r.nodes > 1 else "",
    )
    return LaunchCommand(
        (*_machines(r), *argv),
        env=dict(r.environment),
        files={FILE: yaml.safe_dump(options, sort_keys=False)},
        note=r.notes("tensorrt-llm", *more),
        engine_version=r.version,
    )


def _machines(r: LaunchRequest) -> list[str]:
    """One MPI rank per chip, as the engine's own multi-node example with Slurm starts them."""
    if r.nodes == 1:
        return []
    tasks = [
        "--nodes",
        str(r.nodes),
        "--ntasks",
        str(r.layout.n_chips),
        "--ntasks-per-node",
        str(r.local_chips),
    ]
    return ["srun", *tasks, "--mpi", "pmix", "trtllm-llmapi-launch"]
