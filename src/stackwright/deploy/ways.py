"""Launch of other ways of serving: what drafting and disaggregated pools add to the commands of their workers."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import yaml

from stackwright.catalog import Chip
from stackwright.deploy.command import LaunchCommand, ServingSettings
from stackwright.deploy.launch import launch_command
from stackwright.deploy.tensorrt_llm import FILE
from stackwright.errors import UnsupportedError
from stackwright.performance import Layout, Speculation
from stackwright.performance.pools import Pools

_ROUTER_PORT = 8000
_WORKER_PORTS = {"prefill": 8100, "decode": 8200}


@dataclass(frozen=True)
class PoolLaunch:
    """The commands of one worker of each pool, and what routes requests between them."""

    prefill: LaunchCommand
    decode: LaunchCommand
    router: LaunchCommand | None
    note: str

    @property
    def engine_version(self) -> str:
        """Version of the engine that the arguments belong to."""
        return self.decode.engine_version

    def shell(self) -> str:
        """All commands as text for a POSIX shell, one after the other; each belongs to a terminal of its own."""
        parts = ["".join(f"# {line}\n" for line in self.note.splitlines()), self.prefill.shell(), self.decode.shell()]
        return "\n".join([*parts, self.router.shell()] if self.router else parts)


def drafting(engine_id: str, command: LaunchCommand, s: Speculation) -> LaunchCommand:
    """The command with multi-token prediction of `s.draft_tokens` tokens. Raises `UnsupportedError` for other methods.

    SGLang counts the steps of the draft and the tokens to verify, one more.
    """
    if s.method != "mtp":
        raise UnsupportedError(f"no launch command for speculative decoding by {s.method}: it needs your own draft")
    if engine_id == "vllm":
        text = json.dumps({"method": "mtp", "num_speculative_tokens": s.draft_tokens})
        return replace(command, argv=(*command.argv, "--speculative-config", text))
    if engine_id == "sglang":
        steps, verified = str(s.draft_tokens), str(s.draft_tokens + 1)
        more = ["--speculative-algorithm", "EAGLE", "--speculative-num-steps", steps]
        more += ["--speculative-eagle-topk", "1", "--speculative-num-draft-tokens", verified]
        return replace(command, argv=(*command.argv, *more))
    if engine_id == "tensorrt-llm":
        config = {"decoding_type": "MTP", "num_nextn_predict_layers": s.draft_tokens}
        return _with_options(command, FILE, {"speculative_config": config})
    raise UnsupportedError(f"no launch command for speculative decoding of {engine_id} yet")


def pool_launch(
    engine_id: str,
    chips: tuple[Chip, Chip],
    pools: Pools,
    hub_id: str,
    settings: tuple[ServingSettings, ServingSettings],
    *,
    node_chips: int = 8,
    speculation: Speculation | None = None,
) -> PoolLaunch:
    """The commands of pools: `chips` and `settings` of a prefill and of a decode worker.

    Raises `UnsupportedError` where the engine documents no hand-over of its cache.
    """
    if engine_id not in _TRANSFERS:
        raise UnsupportedError(f"no launch command for disaggregated pools of {engine_id} yet")
    layouts, workers = (pools.prefill, pools.decode), []
    for (role, port), chip, layout, s in zip(_WORKER_PORTS.items(), chips, layouts, settings, strict=True):
        command = _worker(engine_id, chip, layout, hub_id, replace(s, port=port), role, node_chips)
        workers.append(drafting(engine_id, command, speculation) if speculation else command)
    note = (
        f"{pools}: start {pools.prefill_workers} of the first command and {pools.decode_workers} of the second, "
        "each on chips and a port of its own\nworkers listen on loopback: for several machines give --host an address "
        "of a private network"
    )
    return PoolLaunch(workers[0], workers[1], _router(engine_id, pools), f"{note}\n{_TRANSFERS[engine_id]}")


_TRANSFERS = {
    "vllm": (
        "the cache goes through NIXL (install nixl); on several machines set VLLM_NIXL_SIDE_CHANNEL_HOST to the "
        "worker's address\nin front: the example proxy of the documentation (toy_proxy_server.py of the vLLM "
        "repository, --prefiller-hosts, --decoder-hosts), or llm-d"
    ),
    "sglang": "the cache goes through NIXL (install nixl, and sglang-router for the router)",
    "tensorrt-llm": "the cache goes through NIXL; the overlap scheduler is off in prefill workers, which lack it",
}


def _worker(
    engine_id: str, chip: Chip, layout: Layout, hub_id: str, s: ServingSettings, role: str, node_chips: int
) -> LaunchCommand:
    command = launch_command(engine_id, chip, layout, hub_id, s, node_chips=node_chips)
    if engine_id == "vllm":
        kv_role = "kv_producer" if role == "prefill" else "kv_consumer"
        config = json.dumps({"kv_connector": "NixlConnector", "kv_role": kv_role})
        port = {"VLLM_NIXL_SIDE_CHANNEL_PORT": "5600" if role == "prefill" else "5700"}
        return replace(command, argv=(*command.argv, "--kv-transfer-config", config), env={**command.env, **port})
    if engine_id == "sglang":
        more = ("--disaggregation-mode", role, "--disaggregation-transfer-backend", "nixl")
        return replace(command, argv=(*command.argv, *more))
    tokens = s.max_model_len
    options: dict[str, object] = {"cache_transceiver_config": {"backend": "NIXL", "max_tokens_in_buffer": tokens}}
    if role == "prefill":
        options["disable_overlap_scheduler"] = True
    return _with_options(command, f"{role}_{FILE}", options)


def _with_options(command: LaunchCommand, name: str, more: dict[str, object]) -> LaunchCommand:
    """The command with more keys in its options file, which is then called `name`."""
    (old, text), *rest = command.files.items()
    new = name if old == FILE else old
    options = {**yaml.safe_load(text), **more}
    argv = tuple(new if word == old else word for word in command.argv)
    note = command.note.replace(old, new)
    return replace(command, argv=argv, files={new: yaml.safe_dump(options, sort_keys=False), **dict(rest)}, note=note)


def _router(engine_id: str, pools: Pools) -> LaunchCommand | None:
    """What routes requests: a program where the engine has one, with the addresses of one worker of each pool."""
    prefill, decode = (f"127.0.0.1:{_WORKER_PORTS[role]}" for role in ("prefill", "decode"))
    if engine_id == "sglang":
        argv = ["python3", "-m", "sglang_router.launch_router", "--pd-disaggregation"]
        argv += ["--prefill", f"http://{prefill}", "--decode", f"http://{decode}"]
        argv += ["--host", "127.0.0.1", "--port", str(_ROUTER_PORT)]
        return LaunchCommand(tuple(argv), note="the router: one --prefill and one --decode for every worker")
    if engine_id == "tensorrt-llm":
        config = {
            "hostname": "127.0.0.1",
            "port": _ROUTER_PORT,
            "backend": "pytorch",
            "context_servers": {"num_instances": pools.prefill_workers, "urls": [prefill]},
            "generation_servers": {"num_instances": pools.decode_workers, "urls": [decode]},
        }
        text = yaml.safe_dump(config, sort_keys=False)
        note = "the orchestrator: one address in urls for every worker"
        return LaunchCommand(
            ("trtllm-serve", "disaggregated", "-c", "disagg_config.yaml"), files={"disagg_config.yaml": text}, note=note
        )
    return None
