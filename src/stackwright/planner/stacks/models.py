"""From what the user calls a model to its architecture and its catalogue entry."""

from __future__ import annotations

from pathlib import Path

from stackwright.catalog import Catalog, Engine, ModelEntry
from stackwright.errors import InputError, UnknownIdError
from stackwright.llm import Model, read_config
from stackwright.performance.models import model_of
from stackwright.planner.stacks.hub import INSTALL, Fetch, config_folder, is_hub_id


def resolve_model(name: str, catalog: Catalog, fetch: Fetch | None = None) -> tuple[Model, ModelEntry | None]:
    """The architecture of a catalogue id or alias, of a config.json (or its folder) on disk, or of a hub id.

    A hub id that the catalogue lacks is read from the user's cache, else fetched (by `fetch`, or by the extra `hub`
    where it is installed): its config.json only.
    """
    if not name.strip():
        raise InputError("no model given: name a model id, or the path of a config.json")
    path = Path(name)
    if name.endswith(".json") or path.is_dir():
        if not path.exists():
            raise InputError(f"no such file: {name}; give a config.json, its folder, or a model id")
        return read_config(path.resolve()), None
    try:
        entry = catalog.model(name)
    except UnknownIdError as error:
        try:
            folder = config_folder(name, fetch) if is_hub_id(name) else None
        except InputError as refused:
            raise InputError(f"{error}; {refused}") from None
        if folder is not None:
            return read_config(folder, name), None
        install = f"; {INSTALL}" if is_hub_id(name) else ""
        raise InputError(f"{error} (or give the path of its config.json{install})") from None
    return model_of(entry), entry


def checkpoint_of(
    asked: str, entry: ModelEntry | None, precision: str, engine: Engine | None = None
) -> tuple[str, str]:
    """Hub id to load for a precision (of a config.json: its folder), and a note where that id is not verified.

    Where `engine` makes the precision itself: the checkpoint it starts from, and how to convert that.
    """
    if entry is None:
        path = Path(asked)
        if is_hub_id(asked) and not path.exists():
            return asked, "the checkpoint is taken to be in the format that its config.json states"
        folder = path if path.is_dir() else path.parent
        return str(folder if folder.name else folder.resolve()), "weights are expected beside the config.json"
    for checkpoint in entry.checkpoints:
        if checkpoint.precision == precision:
            doubtful = checkpoint.confidence == "assumption"
            return checkpoint.hub_id, f"checkpoint id {checkpoint.hub_id} is not verified" if doubtful else ""
    plain = next((c for c in entry.checkpoints if c.precision == "bf16"), None)
    if plain is not None and engine is not None and any(precision in s.online for s in engine.supports):
        return plain.hub_id, f"{engine.id} quantises {plain.hub_id} to {precision} while loading"
    source = plain or next((c for c in entry.checkpoints if c.precision == "fp8"), None)
    if source is not None and engine is not None and precision in engine.quantises:
        return source.hub_id, f"convert {source.hub_id} to {precision} first: {engine.converter}"
    return entry.id, f"no published {precision} checkpoint is known: quantise it first"
