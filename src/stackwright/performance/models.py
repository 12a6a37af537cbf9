"""From a catalogue entry to the architecture that the formulas use."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from stackwright.catalog import ModelEntry
from stackwright.llm import Model, parse_config
from stackwright.llm.architecture import Role


def model_of(entry: ModelEntry) -> Model:
    """The architecture of a catalogue entry; `network` names what checkpoints of one network share.

    Formats by role are those of the config, then those of the first checkpoint of each other precision that has any.
    """
    model = parse_config(entry.config, entry.id)
    formats, known = list(model.formats), {precision for precision, _, _ in model.formats}
    for checkpoint in entry.checkpoints:
        if checkpoint.formats and checkpoint.precision not in known:
            known.add(checkpoint.precision)
            formats += [(checkpoint.precision, cast(Role, role), form) for role, form in checkpoint.formats.items()]
    return replace(model, network=entry.group or entry.id, formats=tuple(formats))
