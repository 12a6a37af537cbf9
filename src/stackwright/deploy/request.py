"""What every engine's writer is given, and the answers they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stackwright.catalog import Chip
from stackwright.deploy.command import ServingSettings
from stackwright.errors import InputError, UnsupportedError
from stackwright.performance import Layout

LOOPBACK = "127.0.0.1"
NODE_0 = "NODE_0_ADDRESS"
ONLINE = frozenset({"fp8"})


def basename(hub_id: str) -> str:
    """The last part of a hub id or path: what converters name their files by."""
    return hub_id.rstrip("/").rsplit("/", 1)[-1]


@dataclass(frozen=True)
class LaunchRequest:
    """One replica to start: `published` is the checkpoint's weight precision where known, `nodes` its machines."""

    chip: Chip
    layout: Layout
    hub_id: str
    settings: ServingSettings
    nodes: int
    published: str | None
    version: str
    environment: Mapping[str, str]

    @property
    def local_chips(self) -> int:
        """Chips of the replica on one machine."""
        return self.layout.n_chips // self.nodes

    @property
    def seqs_per_rank(self) -> int:
        """Running sequences of one attention rank, rounded up."""
        return -(-self.settings.max_num_seqs // self.layout.attention_dp)

    def online_quantization(self, engine: str, methods: frozenset[str] = ONLINE) -> str | None:
        """The method that quantises a BF16 checkpoint while loading, or None where the checkpoint fits as it is.

        Raises `InputError` where the checkpoint has another precision that loading cannot turn into the layout's.
        """
        wanted = self.layout.weight_precision
        if self.published in (None, wanted):
            return None
        if self.published == "bf16" and wanted in methods:
            return wanted
        raise InputError(
            f"{self.hub_id} is published in {self.published} and {engine} does not load it as {wanted}; "
            f"give a checkpoint in {wanted}"
        )

    def kv_dtype(self, engine: str, names: Mapping[str, str]) -> str:
        """The engine's name of the layout's KV-cache precision."""
        wanted = self.layout.kv_precision
        if wanted not in names:
            raise UnsupportedError(f"{engine} has no documented {wanted} KV cache (it has {', '.join(names)})")
        return names[wanted]

    def notes(self, engine: str, *more: str) -> str:
        """The note of the command: what it starts, how the weights come, then `more` (empty ones dropped)."""
        at = self.layout
        over = f" on {self.nodes} machines of {self.local_chips}" if self.nodes > 1 else ""
        if self.published is None:
            weights = f"{at.weight_precision} weights assumed; the precision of {self.hub_id} is not in the catalogue"
        elif self.published == at.weight_precision:
            weights = f"{at.weight_precision} weights, as {self.hub_id} is published"
        else:
            weights = f"{at.weight_precision} weights, quantised while loading the {self.published} checkpoint"
        what = f"{engine} {self.version}: one replica on {at.n_chips} x {self.chip.id}{over} ({at})"
        return "\n".join([what, weights, *(m for m in more if m)])

    def checkpoint_kv_note(self, name: str) -> str:
        """A warning where `auto` could follow a KV-cache format that a quantised checkpoint declares."""
        if name != "auto" or self.layout.weight_precision == "bf16":
            return ""
        return "the prediction assumed a bf16 KV cache; auto follows the checkpoint if that declares another one"
