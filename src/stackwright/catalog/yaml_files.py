"""Reads the YAML files of a catalogue directory into plain records; a broken file is named with its field."""

from __future__ import annotations

import re
from collections.abc import Hashable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from stackwright.catalog.records import Chip, Engine, Figure, Grid, ModelEntry, Offer, Place, Provider, Record, System
from stackwright.errors import CatalogError

DATA = Path(__file__).parent / "data"
KINDS: dict[str, type[Record]] = {
    "chips": Chip, "systems": System, "engines": Engine, "models": ModelEntry, "offers": Offer, "grid": Grid,
    "providers": Provider, "places": Place, "ownership": Figure,
}  # fmt: skip
_GROUPED = {
    "offers",
    "grid",
}  # one file per provider: `provider`, optional `sources`, and a list under the kind
_LISTED = {"places", "ownership"}  # optional `sources`, and a list under the kind

Raw = dict[str, Any]
R = TypeVar("R", bound=Record)


@cache
def _loader() -> Any:
    """Safe YAML that reads 1e12 as a number and refuses a key given twice (built late: most starts need no YAML)."""
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
            seen: set[str] = set()
            for key, _ in node.value:
                if key.value in seen:
                    raise yaml.MarkedYAMLError(None, None, f"key {key.value!r} is given twice", key.start_mark)
                seen.add(key.value)
            mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
            return mapping

    number = re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9]*)?[eE][-+]?[0-9]+$")
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", number, list("-+0123456789"))
    return Loader


def read_yaml(file: Path) -> Any:
    """The content of one YAML file. Raises `CatalogError` with the file name."""
    import yaml

    try:
        return yaml.load(file.read_bytes(), Loader=_loader())
    except OSError as error:
        raise CatalogError(f"{file}: cannot read ({error.strerror})") from None
    except yaml.YAMLError as error:
        raise CatalogError(f"{file}: not valid YAML: {' '.join(str(error).split())}") from None


def list_files(directory: Path) -> list[Path]:
    """The YAML files of a catalogue directory in a stable order."""
    return [file for kind in KINDS for file in sorted((directory / kind).glob("*.y*ml"))]


def read_directory(directory: Path) -> dict[str, list[Raw]]:
    """Plain records by kind from `directory/<kind>/*.yaml`. Raises `CatalogError` with the file name."""
    if not directory.is_dir():
        raise CatalogError(f"{directory}: no such catalogue directory")
    found: dict[str, list[Raw]] = {kind: [] for kind in KINDS}
    for file in list_files(directory):
        kind = file.parent.name
        found[kind].extend(read_file(file, kind))
    return found


def read_file(file: Path, kind: str) -> list[Raw]:
    """Plain records of one file of a kind. Raises `CatalogError` with the file name."""
    content = read_yaml(file)
    if not isinstance(content, dict):
        raise CatalogError(f"{file}: expected one mapping of fields")
    if kind in _GROUPED:
        records = _expand(content, kind, file)
    elif kind in _LISTED and kind in content:
        records = _listed(content, kind, file)
    else:
        records = [_with_sources(content)]
    for record in records:
        if not isinstance(record, dict) or not isinstance(record.get("id"), str):
            raise CatalogError(f"{file}: a record without a text `id`")
        parse(kind, record, str(file))
    return records


def _with_sources(content: Raw) -> Raw:
    """A record whose source texts, and those of its certifications, were named by a key of `sources`."""
    sources = content.get("sources")
    if not isinstance(sources, dict):
        return content
    record = {key: value for key, value in content.items() if key != "sources"}
    for sourced in [record, *(record.get("certifications") or [])]:
        if isinstance(sourced, dict) and sourced.get("source") in sources:
            sourced["source"] = sources[sourced["source"]]
    return record


def _listed(content: Raw, kind: str, file: Path) -> list[Raw]:
    """The records of a list; `date`, `confidence` and `source` of the file hold for those that name none."""
    if not isinstance(content[kind], list) or not all(isinstance(r, dict) for r in content[kind]):
        raise CatalogError(f"{file}: expected a list of records under `{kind}`")
    shared = {key: value for key, value in content.items() if key not in (kind, "sources")}
    sources = content.get("sources") or {}
    return [_with_sources({**shared, **record, "sources": sources}) for record in content[kind]]


def _expand(content: Raw, kind: str, file: Path) -> list[Raw]:
    """The records of a provider's file: fills in `provider`, `id` and the source texts named by key."""
    unknown = set(content) - {"provider", "sources", kind}
    if unknown or "provider" not in content or not isinstance(content.get(kind), list):
        raise CatalogError(
            f"{file}: expected `provider`, optional `sources` and a list `{kind}`; got {sorted(content)}"
        )
    provider, sources = content["provider"], content.get("sources") or {}
    records: list[Raw] = []
    for number, given in enumerate(content[kind], 1):
        if not isinstance(given, dict) or not isinstance(given.get("prices", []), list):
            raise CatalogError(f"{file}: {kind} number {number} is not a record with fields (and a list of prices)")
        record = {"provider": provider, **given}
        name = record.get("instance" if kind == "offers" else "region", "")
        record.setdefault("id", f"{provider}/{name}".lower())
        for sourced in [record, *record.get("prices", [])]:
            if isinstance(sourced, dict) and sourced.get("source") in sources:
                sourced["source"] = sources[sourced["source"]]
        records.append(record)
    return records


def parse(kind: str, raw: Raw, where: str) -> Record:
    """The typed record. Raises `CatalogError` naming `where`, the record and the first broken field."""
    try:
        return KINDS[kind].model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise CatalogError(f"{where}: {raw.get('id', '?')}: {field}: {first['msg']}") from None
