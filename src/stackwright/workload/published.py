"""Published traces by name: found on disk or fetched when asked, and always checked by SHA-256."""

from __future__ import annotations

import gzip
import hashlib
import os
import tempfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from stackwright.errors import InputError, UnknownIdError
from stackwright.workload.traces import Trace, read_trace

Progress = Callable[[int, int], None]
"""Called with (bytes so far, bytes in all) while a trace is fetched."""

_CHUNK_BYTES = 1 << 16
_TIMEOUT_S = 30.0
_AZURE = "https://raw.githubusercontent.com/Azure/AzurePublicDataset/b469a113cedca53ddc3bdea71a143dc4b7d8700c/data/"
_MOONCAKE = (
    "https://raw.githubusercontent.com/kvcache-ai/Mooncake/3b5a594133958449a1feaf1c9e0fc1b553e34a28/"
    "FAST25-release/traces/"
)
_AZURE_SOURCE = "Azure LLM inference trace 2023, {}; Patel et al., Splitwise, ISCA 2024; CC BY 4.0"
_MOONCAKE_SOURCE = "Mooncake FAST'25 {} trace; Qin et al., Mooncake, FAST 2025; Apache-2.0"


@dataclass(frozen=True, slots=True)
class PublishedTrace:
    """A trace others can cite: where it is, how large (bytes, not compressed) and its SHA-256."""

    name: str
    file_name: str
    url: str
    sha256: str
    size_bytes: int
    source: str

    @property
    def file_names(self) -> tuple[str, ...]:
        """Names under which the file is recognised, in order of preference."""
        names = (self.file_name, self.url.rsplit("/", 1)[-1])
        return tuple(name + ending for name in names for ending in ("", ".gz"))


PUBLISHED = {
    trace.name: trace
    for trace in (
        PublishedTrace(
            "azure-2023-conv",
            "azure2023_conv.csv",
            _AZURE + "AzureLLMInferenceTrace_conv.csv",
            "2f1e5b666d4e3055fdbba98598ce2ec307767b9064e03e2fa46676dbcc7d0bf8",
            719_188,
            _AZURE_SOURCE.format("conversation"),
        ),
        PublishedTrace(
            "azure-2023-code",
            "azure2023_code.csv",
            _AZURE + "AzureLLMInferenceTrace_code.csv",
            "54e9a6d2a4bd06ba1e060304b900abbc74cbea53de96506e60fe5bb4f2277fb6",
            320_117,
            _AZURE_SOURCE.format("code"),
        ),
        PublishedTrace(
            "mooncake-conversation",
            "mooncake_conversation.jsonl",
            _MOONCAKE + "conversation_trace.jsonl",
            "b8cbb061a85206d729d91cdc2981f43c9e0d99209dce588d3af5f7934408b9df",
            3_029_533,
            _MOONCAKE_SOURCE.format("conversation"),
        ),
        PublishedTrace(
            "mooncake-synthetic",
            "mooncake_synthetic.jsonl",
            _MOONCAKE + "synthetic_trace.jsonl",
            "bd070915a98fc0ed264d7cfef2ce746002eb3076a695ec31ba2674c0111ec131",
            1_136_313,
            _MOONCAKE_SOURCE.format("synthetic"),
        ),
    )
}


def cache_dir() -> Path:
    """Where fetched files are kept: `$XDG_CACHE_HOME/stackwright`, else `~/.cache/stackwright`."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "stackwright"


def find_trace(
    name: str,
    data_dir: Path | str | None = None,
    *,
    fetch: bool = False,
    progress: Progress | None = None,
) -> Path:
    """The file of a published trace, checked byte for byte against its SHA-256.

    Looked for, plain or gzipped, in `data_dir`, in each folder of the `STACKWRIGHT_DATA` path list and in
    `cache_dir()`, there and in a `traces` folder below. Only with `fetch` is it downloaded, into the cache.
    Errors: `UnknownIdError` for the name; `InputError` when it is nowhere, cannot be fetched, or is another
    file under that name.
    """
    trace = PUBLISHED.get(name)
    if trace is None:
        raise UnknownIdError("trace", name, PUBLISHED, f"known: {', '.join(PUBLISHED)}; or give a file")
    if data_dir is not None and not Path(data_dir).is_dir():
        raise InputError(f"data folder {data_dir} does not exist")
    for folder in _folders(data_dir):
        for file_name in trace.file_names:
            path = folder / file_name
            if path.is_file():
                _check(path, trace)
                return path
    if not fetch:
        raise InputError(
            f"trace {name!r} is not on this machine: fetch it ({trace.size_bytes / 1e6:.1f} MB from "
            f"{trace.url}), or put {trace.file_name} into a folder named by --data-dir or STACKWRIGHT_DATA"
        )
    return _fetch(trace, cache_dir() / "traces" / trace.file_name, progress)


def load_trace(
    name_or_path: Path | str,
    data_dir: Path | str | None = None,
    *,
    fetch: bool = False,
    progress: Progress | None = None,
) -> Trace:
    """A trace from a file, or by its published name (see `find_trace` and `read_trace` for the errors)."""
    text = str(name_or_path)
    if text in PUBLISHED:
        path = find_trace(text, data_dir, fetch=fetch, progress=progress)
        return read_trace(path, text, PUBLISHED[text].source)
    if Path(text).is_file() or text.endswith((".csv", ".jsonl", ".gz")) or os.sep in text:
        return read_trace(text)
    raise UnknownIdError("trace", text, PUBLISHED, f"known: {', '.join(PUBLISHED)}; or give a file")


def _folders(data_dir: Path | str | None) -> Iterator[Path]:
    listed = os.environ.get("STACKWRIGHT_DATA", "").split(os.pathsep)
    roots = [Path(data_dir)] if data_dir is not None else []
    for root in [*roots, *(Path(entry).expanduser() for entry in listed if entry), cache_dir()]:
        yield root
        yield root / "traces"


def _check(path: Path, trace: PublishedTrace) -> None:
    digest = hashlib.sha256()
    try:
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as data:
            while chunk := data.read(_CHUNK_BYTES):
                digest.update(chunk)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read trace {path}: {getattr(error, 'strerror', None) or error}") from None
    if digest.hexdigest() != trace.sha256:
        raise InputError(
            f"{path} is not the published trace {trace.name!r} (SHA-256 {digest.hexdigest()[:12]}..., "
            f"expected {trace.sha256[:12]}...): remove it, or give its path instead of the name to use it as it is"
        )


def _fetch(trace: PublishedTrace, target: Path, progress: Progress | None) -> Path:
    """Download to a temporary file beside `target`, check, then rename: no partial file is left."""
    digest, done, partial = hashlib.sha256(), 0, ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with os.fdopen(handle, "wb") as out, urllib.request.urlopen(trace.url, timeout=_TIMEOUT_S) as data:
            while chunk := data.read(_CHUNK_BYTES):
                done += len(chunk)
                if done > trace.size_bytes:
                    break
                digest.update(chunk)
                out.write(chunk)
                if progress is not None:
                    progress(done, trace.size_bytes)
        if done != trace.size_bytes or digest.hexdigest() != trace.sha256:
            what = "SHA-256" if done == trace.size_bytes else f"size (expected {trace.size_bytes} bytes)"
            raise InputError(f"{trace.url} is not trace {trace.name!r}: its {what} differs; nothing was kept")
        os.replace(partial, target)
    except (OSError, urllib.error.URLError, HTTPException) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise InputError(f"cannot fetch trace {trace.name!r} from {trace.url}: {reason}") from None
    finally:
        if partial:
            Path(partial).unlink(missing_ok=True)
    return target
