"""gpuhunt (https://github.com/dstackai/gpuhunt, MPL-2.0) as a reader of prices of smaller clouds; an optional extra.

Its published files (`version`, then `<version>/catalog.zip` with one CSV for each provider) are fetched here, within
the limits of `web`, and read by the package itself (`gpuhunt.Catalog`, GPUHUNT_CATALOG_DIR). Its names of accelerators
become chips of the catalogue by `data/price_sources.yaml`; an unknown name is left out and listed.
"""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stackwright.catalog.records import Chip, Offer
from stackwright.catalog.refresh.readings import Asked, Reading, Sheet, Snapshot, lists
from stackwright.errors import InputError, SourceError
from stackwright.units import GIB, GIGA

MAX_BYTES = 256_000_000
DIRECTORY = "GPUHUNT_CATALOG_DIR"
MEMORY_BAND = 0.08  # how far a memory size may be from the chip's, as GB or as GiB, before it is another board


def read(asked: Asked) -> Snapshot:
    """Prices of the clouds named in the catalogue. Raises `InputError` where the extra is not installed."""
    try:
        import gpuhunt
    except ImportError:
        raise InputError("gpuhunt: not installed; pip install 'stackwright[gpuhunt]'") from None
    providers: Mapping[str, str] = lists()["gpuhunt"]["providers"]
    with tempfile.TemporaryDirectory() as folder, _reading_from(folder):
        for name in providers:
            (Path(folder) / f"{name}.csv").write_bytes(_csv(asked, name))
        try:
            items = gpuhunt.Catalog(balance_resources=False, auto_reload=False).query(
                provider=list(providers), min_gpu_count=1
            )
        except (KeyError, ValueError, TypeError) as error:
            raise SourceError(f"gpuhunt: the published files do not fit the installed package ({error})") from None
    return readings_of(items, asked)


def _csv(asked: Asked, provider: str) -> bytes:
    url = f"{lists()['gpuhunt']['url']}/{provider}"
    version = asked.web.get(f"{url}/version").decode("utf-8", "replace").strip()
    if not version or not all(c.isalnum() or c in "-_." for c in version):
        raise SourceError(f"gpuhunt: {provider}: the published version is no version")
    try:
        with zipfile.ZipFile(io.BytesIO(asked.web.get(f"{url}/{version}/catalog.zip"))) as packed:
            if packed.getinfo(f"{provider}.csv").file_size > MAX_BYTES:
                raise SourceError(f"gpuhunt: {provider}: more than {MAX_BYTES / 1e6:g} MB")
            return packed.read(f"{provider}.csv")
    except (zipfile.BadZipFile, KeyError):
        raise SourceError(f"gpuhunt: {provider}: the published file is no catalogue") from None


@contextmanager
def _reading_from(folder: str) -> Iterator[None]:
    before = os.environ.get(DIRECTORY)
    os.environ[DIRECTORY] = folder
    try:
        yield
    finally:
        if before is None:
            del os.environ[DIRECTORY]
        else:
            os.environ[DIRECTORY] = before


def readings_of(items: Iterable[Any], asked: Asked) -> Snapshot:
    """Readings of `gpuhunt.CatalogItem`s: the cheapest of an instance in a region, spot apart."""
    sheet, cheapest = Sheet(), dict[tuple[str, str, bool], Reading]()
    for item in items:
        offer = _offer(item, asked, sheet)
        region = str(item.location or "unspecified")
        if offer is None or not asked.wants(region):
            continue
        reading = Reading(offer, "spot" if item.spot else "on_demand", region, float(item.price))
        key = (offer.id, region, bool(item.spot))
        if key not in cheapest or reading.usd_per_hour < cheapest[key].usd_per_hour:
            cheapest[key] = reading
    sheet.readings += cheapest.values()
    return sheet.snapshot("gpuhunt catalogue (dstack, MPL-2.0)", "press")


def _offer(item: Any, asked: Asked, sheet: Sheet) -> Offer | None:
    """The offer of an item, as the catalogue has it or, where it has none, one that claims no more than is known."""
    provider, instance, n = lists()["gpuhunt"]["providers"].get(item.provider), str(item.instance_name), item.gpu_count
    chip, why = _chip(item, asked)
    if provider is None:
        why = f"provider {item.provider!r} is not read"
    known = asked.instances(provider).get(instance) if provider else None
    if chip and known and (known.chip, known.chips) != (chip.id, n):
        why = f"the catalogue has {known.chips} x {known.chip} here"
    if why or chip is None:
        sheet.leave(f"{item.provider} {instance}", why)
        return None
    return known or Offer(
        id=f"{provider}/{instance}".lower(),
        provider=str(provider),
        instance=instance,
        chip=chip.id,
        chips=n,
        unit="instance",
        scale_up_chips=min(n, chip.link.scale_up_domain),
        max_replica_chips=n,
        prices=(),
        note="the cluster network is not known: a replica stays within one instance",
    )


def _chip(item: Any, asked: Asked) -> tuple[Chip | None, str]:
    """The chip of an item's accelerator, or why there is none."""
    config, name, memory = lists()["gpuhunt"], str(item.gpu_name), float(item.gpu_memory or 0)
    if any(word in str(item.instance_name).lower() for word in config["unlike"]):
        return None, f"{name} on another board (PCIe or NVL)"
    rows = [row for row in config["chips"] if row["name"].lower() == name.lower()]
    chip = asked.catalog.chips.get(rows[0]["chip"]) if rows else None
    if chip is None:
        return None, f"accelerator {name!r} is not in the catalogue"
    row = next((row for row in rows if abs(row["memory"] - memory) < 1.0), None)
    chip = asked.catalog.chips.get(row["chip"]) if row else None
    store = chip.memory if chip else None
    known = [m for m in (store.capacity_bytes, store.visible_bytes) if m] if store else []
    if not any(abs(size / m - 1) <= MEMORY_BAND for size in (memory * GIGA, memory * GIB) for m in known):
        return None, f"{name} with {memory:g} GB: neither GB nor GiB of a chip of that name"
    return chip, ""
