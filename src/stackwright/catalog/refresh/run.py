"""`catalog refresh`: reads the lists asked for, checks them, and writes the user's directory in one step a source."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackwright.catalog.index import write_index
from stackwright.catalog.records import STALE_PRICE_DAYS, Offer
from stackwright.catalog.refresh import aws, azure, gcp, genai, gpuhunt, history, user
from stackwright.catalog.refresh.gate import gate, moved
from stackwright.catalog.refresh.readings import Asked, LeftOut, Snapshot
from stackwright.catalog.refresh.web import Web
from stackwright.catalog.store import Catalog, shipped_catalog
from stackwright.errors import CatalogError, InputError, SourceError, StackwrightError, UnknownIdError

READERS: dict[str, Callable[[Asked], Snapshot]] = {
    "azure": azure.read, "aws": aws.read, "gcp": gcp.read, "gpuhunt": gpuhunt.read,
}  # fmt: skip
SOURCES = ("azure", "aws", "gcp", "genai", "gpuhunt")

Document = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """How to refresh: the directory, the regions (None: each reader's own), and what a test replaces."""

    directory: Path
    regions: frozenset[str] | None = None
    dry_run: bool = False
    now: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    web: Callable[[str], Web] = lambda source: Web()
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)


def refresh(sources: Sequence[str], options: Options) -> Document:
    """Reads each source and writes what passed; a source that fails keeps its earlier prices and is reported.

    With `all`, a source that needs what is not there (a key, an extra) is passed over. Raises `InputError` for an
    unknown source, and for such a source when it was named.
    """
    wanted = named(sources)
    every = "all" in sources
    catalog = shipped_catalog()
    answers = []
    for source in wanted:
        try:
            answers.append(_one(source, catalog, options))
        except InputError as error:
            if not every:
                raise
            answers.append({"source": source, "status": "passed over", "message": str(error)})
        except (SourceError, CatalogError) as error:
            answers.append({"source": source, "status": "failed", "message": str(error)})
    return {"kind": "catalog_refresh", "directory": str(options.directory), "dry_run": options.dry_run,
            "sources": answers}  # fmt: skip


def held(directory: Path, now: dt.datetime, sources: Sequence[str] = SOURCES) -> Document:
    """What the directory holds and how old it is, without network. Raises `CatalogError` on a broken lock file."""
    lock = {source: entry for source, entry in user.read_lock(directory).items() if source in sources}
    answers = []
    for source, entry in lock.items():
        age = (now - user.retrieved(entry)).days
        try:
            user.verify(directory, {source: entry})
            status, message = "held", f"older than {STALE_PRICE_DAYS} days" if age > STALE_PRICE_DAYS else ""
        except StackwrightError as error:
            status, message = "broken", str(error)
        answers.append({"source": source, "status": status, "message": message, "age_days": age, **entry})
    return {"kind": "catalog_refresh", "directory": str(directory), "offline": True, "sources": answers}


def named(sources: Sequence[str]) -> tuple[str, ...]:
    """The sources in order, `all` standing for each. Raises `UnknownIdError` or `InputError`."""
    if not sources:
        raise InputError(f"name what to refresh: {', '.join(SOURCES)} or all")
    for source in sources:
        if source not in (*SOURCES, "all"):
            raise UnknownIdError("price source", source, (*SOURCES, "all"), f"one of {', '.join(SOURCES)}, all")
    return SOURCES if "all" in sources else tuple(s for s in SOURCES if s in sources)


def _one(source: str, catalog: Catalog, options: Options) -> Document:
    web = options.web(source)
    on = options.now.date()
    asked = Asked(catalog, web, on, options.regions, options.environment)
    lock = user.read_lock(options.directory)
    warnings: list[str] = []
    left_out: list[LeftOut] = []
    if source == "genai":
        from genai_prices import __version__

        content, rows = genai.read(asked)
        files = {user.GENAI: content}
        more: dict[str, Any] = {"package_version": __version__}
    else:
        snapshot = READERS[source](asked)
        offers, refused = gate(snapshot, catalog, on)
        left_out = [*snapshot.left_out, *refused]
        rows = sum(len(o.prices) for o in offers)
        if not rows:
            raise SourceError(f"{source}: no usable price in the answer ({_most(left_out)}); the earlier prices stay")
        warnings = moved(offers, catalog)
        files = _files(source, offers, lock, options.directory)
        more = {"offers": len(offers)}
    entry = {
        "retrieved": options.now.replace(microsecond=0).isoformat(),
        "urls": list(web.urls),
        "sha256": web.sha256,
        "rows_kept": rows,
        "left_out": dict(Counter(_kind(row) for row in left_out).most_common()),
        **more,
        "files": {name: user.sha256(content) for name, content in files.items()},
    }
    if not options.dry_run:
        _write(options.directory, files, {**lock, source: entry})
    examples = [{"what": row.what, "reason": row.reason, "kind": _kind(row)} for row in left_out]
    return {"source": source, "status": "read" if options.dry_run else "refreshed", "message": "", **entry,
            "warnings": warnings, "rows_left_out": examples}  # fmt: skip


def _kind(row: LeftOut) -> str:
    """The reason of a row without its region and without amounts of money, so that equal ones count together."""
    region = next(iter(row.what.split()[1:]), "")
    reason = row.reason.replace(f" in {region}", "") if region else row.reason
    return re.sub(r"^[\d.e+]+ USD is", "it is", reason)


def _most(left_out: Iterable[LeftOut]) -> str:
    reasons = Counter(_kind(row) for row in left_out).most_common(2)
    return ", ".join(f"{n} {reason}" for reason, n in reasons) or "it is empty"


def _files(source: str, offers: list[Offer], lock: Mapping[str, user.Entry], directory: Path) -> dict[str, bytes]:
    """The files of a source with the earlier prices kept. An earlier file that was edited is not built upon."""
    earlier: dict[str, Offer] = {}
    prefix = f"{source}-" if source == "gpuhunt" else ""
    if source in lock:
        earlier = {o.id: o for o in user.read_offers(directory, {source: lock[source]})}
    by_provider: dict[str, list[Offer]] = {}
    for offer in history.joined(earlier, offers):
        by_provider.setdefault(offer.provider, []).append(offer)
    return {
        f"offers/{prefix}{provider}.yaml": history.as_yaml(provider, of_provider).encode()
        for provider, of_provider in by_provider.items()
    }


def _write(directory: Path, files: Mapping[str, bytes], lock: Mapping[str, user.Entry]) -> None:
    """Everything is on disk under other names before the first file gets its own: no half of a refresh is left."""
    text = json.dumps({"version": 1, "sources": lock}, indent=1) + "\n"
    made: list[tuple[str, Path]] = []
    try:
        for name, content in {**files, user.LOCK: text.encode()}.items():
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".tmp")
            made.append((temporary, target))
            with os.fdopen(handle, "wb") as out:
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
        for temporary, target in made:
            os.replace(temporary, target)
        write_index(directory)
    except OSError as error:
        raise CatalogError(f"{directory}: cannot write ({error.strerror})") from None
    finally:
        for temporary, _ in made:
            Path(temporary).unlink(missing_ok=True)
