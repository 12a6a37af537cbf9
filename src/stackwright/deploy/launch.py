"""The launch command of an engine, with every flag that the prediction assumed."""

from __future__ import annotations

import math

from stackwright.catalog import Chip, load_catalog
from stackwright.deploy import llama_cpp, mlx, sglang, tensorrt_llm, vllm
from stackwright.deploy.command import LaunchCommand, ServingSettings
from stackwright.deploy.flags import engine_flags
from stackwright.deploy.request import LaunchRequest
from stackwright.errors import InputError, UnsupportedError
from stackwright.performance import Layout

_WRITERS = {
    "vllm": vllm.command, "sglang": sglang.command, "tensorrt-llm": tensorrt_llm.command,
    "llama.cpp": llama_cpp.command, "mlx": mlx.command,
}  # fmt: skip


def launch_command(
    engine_id: str, chip: Chip, layout: Layout, hub_id: str, settings: ServingSettings, *, node_chips: int = 8
) -> LaunchCommand:
    """The command that starts one replica of `hub_id`; over several machines, the command of node 0.

    `node_chips` chips of one machine. Raises `InputError` where the checkpoint is not what the layout assumes and
    `UnsupportedError` where the engine has no documented arguments for the layout or the chip.
    """
    engine = load_catalog().engine(engine_id)
    record = engine_flags(engine.id)
    if not any(chip.family in s.families for s in engine.supports):
        raise InputError(f"{engine.id} does not run on {chip.id} ({chip.family}); choose another engine")
    refused = record.get("refused_chips", {}).get(chip.id)
    if refused:
        raise UnsupportedError(f"no launch command for {engine.id} on {chip.id}: {refused['reason']}")
    if layout.cp > 1:
        raise UnsupportedError(
            f"no launch command for context parallelism of {engine.id}: its arguments are not documented at the "
            f"catalogue's version {record['version']}"
        )
    if not hub_id or hub_id.startswith("-"):
        raise InputError(f"{hub_id!r} is not a model: give a hub id or a path")
    request = LaunchRequest(
        chip=chip,
        layout=layout,
        hub_id=hub_id,
        settings=settings,
        nodes=_nodes(layout, node_chips),
        published=published_precision(hub_id),
        version=record["version"],
        environment={
            name: v["value"] for name, v in record.get("environment", {}).items() if chip.family in v["families"]
        },
    )
    return _WRITERS[engine.id](request)


def published_precision(hub_id: str) -> str | None:
    """Weight precision of a checkpoint as the catalogue has it, or None for one that it does not list."""
    for entry in load_catalog().models.values():
        for checkpoint in entry.checkpoints:
            if checkpoint.hub_id == hub_id:
                return checkpoint.precision
    return None


def _nodes(layout: Layout, node_chips: int) -> int:
    if node_chips < 1:
        raise InputError(f"node_chips must be at least 1, not {node_chips}")
    for name in ("tp", "pp", "ep", "attention_dp", "cp"):
        if getattr(layout, name) < 1:
            raise InputError(f"{name} must be at least 1")
    nodes = math.ceil(layout.n_chips / node_chips)
    if layout.n_chips % nodes:
        raise InputError(f"{layout.n_chips} chips do not split evenly over {nodes} machines of {node_chips}")
    return nodes
