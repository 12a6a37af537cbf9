import gzip
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stackwright.errors import InputError, UnknownIdError
from stackwright.workload import PUBLISHED, find_trace, load_trace, published

NAME = "azure-2023-code"
TEXT = b"TIMESTAMP,ContextTokens,GeneratedTokens\n" + b"".join(b"%d,100,10\n" % i for i in range(9000))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A loopback server in place of the public host, one small published trace, an empty cache."""
    root = tmp_path / "www"
    root.mkdir()
    (root / "code.csv").write_bytes(TEXT)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    small = replace(
        PUBLISHED[NAME],
        url=f"http://127.0.0.1:{server.server_address[1]}/code.csv",
        sha256=hashlib.sha256(TEXT).hexdigest(),
        size_bytes=len(TEXT),
    )
    monkeypatch.setitem(published.PUBLISHED, NAME, small)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("STACKWRIGHT_DATA", raising=False)
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    yield root
    server.shutdown()
    server.server_close()
    thread.join()


def cached(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_nothing_is_fetched_unless_asked(served: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not on this machine: fetch it"):
        find_trace(NAME)
    assert cached(tmp_path) == []


def test_fetched_once_checked_and_found_again(served: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = find_trace(NAME, fetch=True, progress=lambda done, total: seen.append((done, total)))
    assert path == tmp_path / "cache" / "stackwright" / "traces" / "azure2023_code.csv"
    assert path.read_bytes() == TEXT
    assert cached(tmp_path) == [path]
    assert seen[-1] == (len(TEXT), len(TEXT))
    assert len(seen) > 1
    (served / "code.csv").unlink()
    assert find_trace(NAME, fetch=True) == path
    trace = load_trace(NAME)
    assert (trace.name, len(trace)) == (NAME, 9000)
    assert "CC BY 4.0" in trace.source


@pytest.mark.parametrize(
    ("body", "message"),
    [(TEXT.replace(b"100", b"101"), "SHA-256 differs"), (TEXT[:-1], "size"), (TEXT + b"x", "size"), (b"", "size")],
)
def test_a_wrong_download_is_an_error_and_leaves_no_file(
    served: Path, tmp_path: Path, body: bytes, message: str
) -> None:
    (served / "code.csv").write_bytes(body)
    with pytest.raises(InputError, match=message):
        find_trace(NAME, fetch=True)
    assert cached(tmp_path) == []


def test_a_failed_download_is_an_error_and_leaves_no_file(served: Path, tmp_path: Path) -> None:
    (served / "code.csv").unlink()
    with pytest.raises(InputError, match="cannot fetch trace"):
        find_trace(NAME, fetch=True)
    assert cached(tmp_path) == []


def test_an_interrupted_download_leaves_no_file(served: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_trace(NAME, fetch=True, progress=stop)
    assert cached(tmp_path) == []


def test_an_unwritable_cache_is_one_clear_line(served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match="cannot fetch trace"):
        find_trace(NAME, fetch=True)


@pytest.mark.parametrize("where", ["", "traces"])
@pytest.mark.parametrize("file", ["azure2023_code.csv", "azure2023_code.csv.gz", "code.csv", "code.csv.gz"])
def test_both_layouts_are_accepted(
    served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, file: str
) -> None:
    path = tmp_path / "data" / where / file
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(TEXT) if file.endswith(".gz") else TEXT)
    assert find_trace(NAME, tmp_path / "data") == path
    with pytest.raises(InputError, match="not on this machine"):
        find_trace(NAME)
    monkeypatch.setenv("STACKWRIGHT_DATA", f"{tmp_path / 'nowhere'}:{tmp_path / 'data'}")
    assert find_trace(NAME) == path


def test_a_local_file_that_is_not_the_published_one_is_refused(served: Path, tmp_path: Path) -> None:
    path = tmp_path / "azure2023_code.csv"
    path.write_bytes(TEXT + b"9001,1,1\n")
    with pytest.raises(InputError, match="is not the published trace"):
        find_trace(NAME, tmp_path)
    assert len(load_trace(path)) == 9001
    path.rename(tmp_path / "azure2023_code.csv.gz")
    with pytest.raises(InputError, match="cannot read trace"):
        find_trace(NAME, tmp_path)


def test_unknown_names_suggest(tmp_path: Path) -> None:
    with pytest.raises(UnknownIdError, match="'mooncake-conversation'"):
        find_trace("mooncake-conversations")
    with pytest.raises(UnknownIdError, match="known: azure-2023-conv"):
        load_trace("zzz")
    with pytest.raises(InputError, match="No such file"):
        load_trace("zzz.csv")
    with pytest.raises(InputError, match="does not exist"):
        find_trace(NAME, tmp_path / "none")


def test_the_cache_is_where_the_platform_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    assert published.cache_dir() == tmp_path / ".cache" / "stackwright"


@pytest.mark.parametrize("trace", PUBLISHED.values(), ids=lambda trace: trace.name)
def test_published_traces_are_pinned(trace: published.PublishedTrace) -> None:
    assert trace.url.startswith("https://raw.githubusercontent.com/")
    assert any(len(part) == 40 for part in trace.url.split("/"))
    assert len(trace.sha256) == 64
