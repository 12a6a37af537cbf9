"""The facts and constants that a question rests on: shipped, or from a user's files."""

from __future__ import annotations

from pathlib import Path

from stackwright.catalog import Catalog, load_catalog
from stackwright.catalog.yaml_files import KINDS, list_files
from stackwright.errors import InputError
from stackwright.performance import Constants, load_constants


def catalog_with(directory: str | Path | None) -> Catalog:
    """The shipped catalogue, with a user's directory on top where given."""
    if directory is None:
        return load_catalog()
    if not list_files(Path(directory)):
        raise InputError(f"{directory}: no catalogue files; expected YAML files in {', '.join(f'{k}/' for k in KINDS)}")
    return load_catalog(Path(directory))


def constants_from(file: str | Path | None) -> Constants:
    """The shipped record of constants, or a user's."""
    try:
        return load_constants(Path(file) if file else None)
    except UnicodeDecodeError:
        raise InputError(f"{file}: not a UTF-8 text file; give a record of constants") from None
