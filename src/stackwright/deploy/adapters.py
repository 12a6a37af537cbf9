"""What LoRA adapters add to the command of an engine."""

from __future__ import annotations

from dataclasses import replace

from stackwright.deploy.command import LaunchCommand
from stackwright.deploy.flags import engine_flags
from stackwright.errors import UnsupportedError
from stackwright.performance import Lora


def with_adapters(engine_id: str, command: LaunchCommand, lora: Lora) -> LaunchCommand:
    """The command with room for `lora`, all adapters on the chips at once; which adapters, the note leaves to the user.

    vLLM reserves one of the ranks it documents, the smallest that holds the adapters'. Raises `UnsupportedError` for
    engines whose arguments for adapters are not known here.
    """
    number = str(lora.adapters)
    if engine_id == "vllm":
        ranks = (int(r) for r in engine_flags("vllm")["arguments"]["--max-lora-rank"]["choices"])
        rank = str(min(r for r in ranks if r >= lora.rank))
        more = ["--enable-lora", "--max-loras", number, "--max-lora-rank", rank]
        names = "--lora-modules NAME=PATH ..."
    elif engine_id == "sglang":
        more = ["--enable-lora", "--max-loras-per-batch", number, "--max-lora-rank", str(lora.rank)]
        names = "--lora-paths NAME=PATH ..."
    else:
        raise UnsupportedError(
            f"no launch command for LoRA adapters of {engine_id} yet: give them in its own configuration"
        )
    note = "\n".join(x for x in (command.note, f"name your {number} adapters: {names}") if x)
    return replace(command, argv=(*command.argv, *more), note=note)
