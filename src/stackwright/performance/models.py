"""From a catalogue entry to the architecture that the formulas use."""

from __future__ import annotations

from dataclasses import replace

from stackwright.catalog import ModelEntry
from stackwright.llm import Model, parse_config


def model_of(entry: ModelEntry) -> Model:
    """The architecture of a catalogue entry; `network` names what checkpoints of one network share."""
    return replace(parse_config(entry.config, entry.id), network=entry.group or entry.id)
