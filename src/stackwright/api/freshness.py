"""Fresh prices on request: the document of `catalog refresh`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stackwright.errors import InputError

Progress = Callable[[str, int], None]


def refresh(
    sources: str | Sequence[str] = (),
    *,
    data_dir: str | Path | None = None,
    regions: Sequence[str] | None = None,
    dry_run: bool = False,
    offline: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Read public price lists (azure, aws, gcp, genai, gpuhunt, all) and keep them in the user's data directory.

    Prices are fetched by this call only. `dry_run` reads and writes nothing; `offline` tells what is held and its
    age, without network. `progress(source, bytes)` is called while bytes arrive. Each source has a `status`:
    refreshed, read (dry run), passed over, failed, held or broken. Raises `InputError` and `CatalogError`.
    """
    from stackwright.catalog.refresh import run, user
    from stackwright.catalog.refresh.web import Web

    wanted = (sources,) if isinstance(sources, str) else tuple(sources)
    named = run.SOURCES if offline and not wanted else run.named(wanted)
    if data_dir is None and user.switched_off():
        raise InputError(
            f"{user.VARIABLE}=none switches refreshed prices off; unset it, or name a directory to keep them"
        )
    directory = Path(data_dir).expanduser() if data_dir is not None else user.default_directory()
    if regions is not None and not list(regions):
        raise InputError("regions: the list is empty")
    if offline:
        return run.held(directory, dt.datetime.now(dt.UTC), named)
    options = run.Options(
        directory,
        None if regions is None else frozenset(r.lower() for r in regions),
        dry_run,
        web=lambda source: Web(progress=(lambda n: progress(source, n)) if progress else None),
    )
    return run.refresh(wanted, options)
