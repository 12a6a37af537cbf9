"""The config.json of a Hugging Face id: fetched once, when an id is asked for that the catalogue does not have.

Only config.json is fetched, and the quantisation file of ModelOpt where there is one: no weights, no code. Both stay
in the user's cache, where they are found without a network. A token is read from HF_TOKEN alone.
"""

from __future__ import annotations

import importlib.util
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from stackwright.errors import InputError
from stackwright.llm.config import QUANTISATION
from stackwright.workload.published import cache_dir

Fetch = Callable[[str, str, Path], bool]
"""Puts a file of a hub id into a folder; False where the hub has no such file. (hub id, file name, folder)"""

_REACH_S = 5.0
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
INSTALL = "pip install 'stackwright[hub]' to read it from the Hugging Face hub"


def is_hub_id(name: str) -> bool:
    """Whether a name has the form of a hub id: organisation/name."""
    return _HUB_ID.fullmatch(name) is not None


def can_fetch() -> bool:
    """Whether the extra that fetches is installed."""
    return importlib.util.find_spec("huggingface_hub") is not None


def config_folder(hub_id: str, fetch: Fetch | None = None) -> Path | None:
    """The folder with the config.json of a hub id: from the cache, else fetched into it; None where it cannot be.

    Raises `InputError` with the reason when the hub refuses.
    """
    folder = cache_dir() / "hub" / hub_id.replace("/", "--")
    if (folder / "config.json").is_file():
        return folder
    if fetch is None:
        if not can_fetch():
            return None
        fetch = _download
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if not fetch(hub_id, "config.json", folder):
            raise InputError(f"{hub_id}: the hub has no config.json of it; give the path of a config.json")
        fetch(hub_id, QUANTISATION, folder)
    except InputError:
        raise
    except Exception as error:  # the library raises errors of its HTTP client, which differ by version
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(
            f"{hub_id}: cannot fetch its config.json ({said[0][:160]}); "
            "check the id and the network, set HF_TOKEN for a gated model, or give the path of a config.json"
        ) from None
    return folder


def _download(hub_id: str, name: str, folder: Path) -> bool:
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.utils import EntryNotFoundError, LocalEntryNotFoundError

    _reach(constants.ENDPOINT)
    try:
        hf_hub_download(hub_id, name, local_dir=folder, token=os.environ.get("HF_TOKEN") or False)
    except LocalEntryNotFoundError:  # offline: a kind of the next error, but not an answer of the hub
        raise
    except EntryNotFoundError:
        return False
    return True


def _reach(endpoint: str) -> None:
    """Raise `OSError` at once when the hub cannot be reached, where the library would retry for half a minute."""
    url = urlsplit(endpoint)
    if url.hostname and not getproxies():
        socket.create_connection((url.hostname, url.port or 443), timeout=_REACH_S).close()
