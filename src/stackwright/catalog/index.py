"""The compiled index: all shipped YAML as one JSON file, so that a start does not parse YAML.

`python -m stackwright.catalog.index` rebuilds `data/index.json`. The index carries a hash of every YAML byte;
where it does not match the files, the YAML is read instead: no answer ever comes from a stale index.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from stackwright.catalog.yaml_files import DATA, Raw, list_files, read_directory

INDEX_NAME = "index.json"


def content_hash(directory: Path = DATA) -> str:
    """SHA-256 over the names and bytes of the YAML files of a catalogue directory."""
    digest = hashlib.sha256()
    for file in list_files(directory):
        content = file.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{file.parent.name}/{file.name}:{len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def read_shipped(directory: Path = DATA) -> dict[str, list[Raw]]:
    """Plain records by kind: from the index when it is fresh, else from the YAML files."""
    fresh = read_index(directory)
    return fresh if fresh is not None else read_directory(directory)


def read_index(directory: Path = DATA) -> dict[str, list[Raw]] | None:
    """The records of the index, or None when it is missing, broken or older than the YAML files."""
    try:
        index = json.loads((directory / INDEX_NAME).read_text(encoding="utf-8"))
        records: dict[str, list[Raw]] = index["records"]
        return records if index["sha256"] == content_hash(directory) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_index(directory: Path = DATA) -> Path:
    """Compiles the YAML files of a directory into its index. Raises `CatalogError` on a broken file."""
    records = read_directory(directory)
    lines = [
        f'"{kind}": [\n' + ",\n".join(json.dumps(r, default=_plain, sort_keys=True) for r in raws) + "\n]"
        for kind, raws in records.items()
    ]
    path = directory / INDEX_NAME
    body = ",\n".join(lines)
    path.write_text(f'{{"sha256": "{content_hash(directory)}",\n"records": {{\n{body}\n}}}}\n', encoding="utf-8")
    return path


def _plain(value: Any) -> str:
    if isinstance(value, dt.date):
        return value.isoformat()
    raise TypeError(f"cannot store {type(value).__name__} in the index")


if __name__ == "__main__":
    sys.stdout.write(f"{write_index()}\n")
