"""The user's data directory: where refreshed prices lie, their lock file, and how they join the shipped ones.

`STACKWRIGHT_CATALOG_DIR` names the directory (`none`: read none); else it is `stackwright/catalog` in XDG_DATA_HOME,
by default ~/.local/share (https://specifications.freedesktop.org/basedir-spec/latest/).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stackwright.catalog.records import Offer
from stackwright.errors import CatalogError

VARIABLE = "STACKWRIGHT_CATALOG_DIR"
LOCK = "refresh.lock.json"
GENAI = "genai/data.json"

Entry = dict[str, Any]


def default_directory() -> Path:
    """Where refreshed prices go when no directory is given."""
    named = os.environ.get(VARIABLE, "")
    if named and named != "none":
        return Path(named).expanduser()
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "stackwright" / "catalog"


def switched_off() -> bool:
    """Whether the environment says that no refreshed prices are to be read."""
    return os.environ.get(VARIABLE) == "none"


def directory_in_use() -> Path | None:
    """The directory whose prices are read: None where it is switched off or nothing was refreshed."""
    if switched_off():
        return None
    try:
        directory = default_directory()
        return directory if (directory / LOCK).is_file() else None
    except (OSError, RuntimeError):  # no home directory
        return None


def read_lock(directory: Path) -> dict[str, Entry]:
    """What the lock file says of each source; empty where there is none. Raises `CatalogError` on a broken one."""
    try:
        sources = json.loads((directory / LOCK).read_text(encoding="utf-8"))["sources"]
        for entry in sources.values():
            dt.datetime.fromisoformat(entry["retrieved"])
            dict(entry["files"])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise CatalogError(
            f"{directory / LOCK}: broken; remove the directory and run `catalog refresh` again"
        ) from None
    return dict(sources)


def sha256(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def retrieved(entry: Entry) -> dt.datetime:
    """When the prices of a source were read (UTC)."""
    return dt.datetime.fromisoformat(entry["retrieved"])


def verify(directory: Path, lock: dict[str, Entry]) -> None:
    """Raises `CatalogError` where a file of these sources is not the one that `catalog refresh` wrote."""
    written = {name: (source, digest) for source, entry in lock.items() for name, digest in entry["files"].items()}
    for name, (source, digest) in written.items():
        try:
            same = sha256((directory / name).read_bytes()) == digest
        except OSError:
            same = False
        if not same:
            raise CatalogError(
                f"{directory / name}: not as `catalog refresh` wrote it; run `stackwright catalog refresh {source}` "
                f"(or set {VARIABLE}=none to leave the refreshed prices out)"
            )


def stamp(directory: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, times and sizes of the files: changes when one of them does."""
    files = [directory / LOCK, *sorted((directory / "offers").glob("*.y*ml"))]
    return tuple((f.name, s.st_mtime_ns, s.st_size) for f in files if (s := f.stat()))


def read_offers(directory: Path, lock: dict[str, Entry]) -> list[Offer]:
    """The offers of the sources in `lock`, verified. Raises `CatalogError`."""
    from stackwright.catalog.index import read_index
    from stackwright.catalog.yaml_files import parse, read_file

    verify(directory, lock)
    files = [directory / name for entry in lock.values() for name in entry["files"] if name.startswith("offers/")]
    fresh = read_index(directory) if set(files) == set((directory / "offers").glob("*.y*ml")) else None
    raws = fresh["offers"] if fresh else [raw for file in files for raw in read_file(file, "offers")]
    found = [parse("offers", raw, str(directory)) for raw in raws]
    return [offer for offer in found if isinstance(offer, Offer)]


def read_refreshed(directory: Path) -> list[Offer]:
    """All refreshed offers. Raises `CatalogError`, also where a file lies there that no refresh wrote."""
    lock = read_lock(directory)
    written = {name for entry in lock.values() for name in entry["files"]}
    for file in sorted((directory / "offers").glob("*.y*ml")):
        if f"offers/{file.name}" not in written:
            raise CatalogError(f"{file}: not written by `catalog refresh`; give own records with --catalog DIR")
    return read_offers(directory, lock)


def joined(shipped: dict[str, Offer], refreshed: Iterable[Offer]) -> list[Offer]:
    """Refreshed prices beside the shipped ones of the same offer; what an offer is, the shipped record says.

    Which price is then in force is decided by `store.prices_in_force`, as ever: the newest. Raises `CatalogError`
    where the unit of a refreshed price is not the shipped one (the package has changed since).
    """
    found = dict(shipped)
    for offer in refreshed:
        known = found.get(offer.id)
        if known is None:
            found[offer.id] = offer
            continue
        if (known.chip, known.chips, known.unit) != (offer.chip, offer.chips, offer.unit):
            raise CatalogError(
                f"{offer.id}: refreshed for {offer.chips} x {offer.chip}, the catalogue now has {known.chips} x "
                f"{known.chip}; run `stackwright catalog refresh` again"
            )
        found[offer.id] = known.model_copy(update={"prices": (*known.prices, *offer.prices)})
    return list(found.values())


def token_prices(directory: Path, entry: Entry) -> Any:
    """The refreshed list of token prices as a snapshot of genai-prices. Raises `CatalogError`."""
    from genai_prices.data_snapshot import DataSnapshot

    from stackwright.catalog.refresh.genai import parse

    verify(directory, {"genai": entry})
    return DataSnapshot(providers=parse((directory / GENAI).read_bytes()), from_auto_update=False)
