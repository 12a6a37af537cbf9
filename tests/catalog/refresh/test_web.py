"""The network side against a server on this machine, and against answers made up in place."""

from __future__ import annotations

import gzip
import io
import ssl
import threading
from collections.abc import Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from stackwright.catalog.refresh.web import Limits, Web
from stackwright.errors import SourceError
from tests.catalog.refresh.answers import always, web

URL = "https://prices.example.org/list"


class Handler(BaseHTTPRequestHandler):
    asked: dict[str, int] = {}

    def do_GET(self) -> None:
        n = self.asked[self.path] = self.asked.get(self.path, 0) + 1
        if self.path == "/busy" and n < 3:
            return self._say(429, b"slow down", {"Retry-After": "7"})
        if self.path == "/cut":
            return self._say(200, b'{"Items": [', {"Content-Length": "5000"})
        if self.path == "/away":
            return self._say(302, b"", {"Location": "http://example.org/elsewhere"})
        if self.path == "/packed":
            return self._say(200, gzip.compress(b'{"a": 1}'), {"Content-Encoding": "gzip"})
        if self.path == "/none":
            return self._say(404, b"", {})
        self._say(200, b'{"a": 1}', {})

    def _say(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    http = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()


def test_it_waits_as_long_as_the_server_asks_and_tries_again(server: str) -> None:
    waits: list[float] = []
    assert Web(sleep=waits.append).json(f"{server}/busy") == {"a": 1}
    assert waits == [7.0, 7.0]


def test_a_cut_answer_is_tried_again_and_then_refused_in_one_line(server: str) -> None:
    waits: list[float] = []
    with pytest.raises(SourceError, match=r"broke off after 11 bytes|IncompleteRead") as caught:
        Web(sleep=waits.append).get(f"{server}/cut")
    assert waits == [1.0, 2.0]
    assert "\n" not in str(caught.value)


def test_packed_answers_are_unpacked_and_hashed_as_unpacked(server: str) -> None:
    plain, packed = Web(), Web()
    assert plain.json(f"{server}/plain") == packed.json(f"{server}/packed")
    assert plain.sha256 == packed.sha256
    assert packed.urls == [f"{server}/packed"]


def test_a_redirect_to_another_host_is_not_followed(server: str) -> None:
    with pytest.raises(SourceError, match=r"another host \(example.org\)"):
        Web().get(f"{server}/away")


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("https://prices.example.org:secret@elsewhere.org/list", r"another host \(elsewhere.org\)"),
        ("http://prices.example.org/list", "from https to http"),
        ("//elsewhere.org/list", r"another host \(elsewhere.org\)"),
    ],
)
def test_a_further_page_is_of_the_same_host_and_as_safe(link: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        Web().follow(URL, link)
    assert Web().follow(URL, "https://PRICES.example.org:443/list?page=2")


def test_a_broken_connection_of_any_kind_is_one_line() -> None:
    class Broken(io.BytesIO):
        headers = Message()

        def read(self, size: int | None = -1, /) -> bytes:
            raise ssl.SSLError(1, "decryption failed or bad record mac")

    with pytest.raises(SourceError, match="cannot be read") as caught:
        Web(Limits(attempts=1), lambda request, timeout: Broken()).get(URL)
    assert "\n" not in str(caught.value)


def test_a_missing_page_is_not_tried_again(server: str) -> None:
    with pytest.raises(SourceError, match="HTTP status 404"):
        Web(sleep=lambda s: pytest.fail("waited")).get(f"{server}/none")


def test_nobody_there_is_one_line() -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        Web(Limits(attempts=1)).get("http://127.0.0.1:9/nothing")


def test_only_https_is_read() -> None:
    with pytest.raises(SourceError, match="only https"):
        Web().get("http://prices.example.org/list")


@pytest.mark.parametrize(("body", "said"), [("<html>busy</html>", "a web page"), ('{"Items": [1,', "no complete JSON")])
def test_what_is_no_json_is_said(body: str, said: str) -> None:
    with pytest.raises(SourceError, match=f"answered with {said} where JSON was expected"):
        web(always(body)).json(URL)


def test_the_size_limit_counts_unpacked_bytes() -> None:
    bomb = gzip.compress(b"0" * 1_000_000)
    packed = web(lambda request: (200, {"Content-Encoding": "gzip"}, bomb), limits=Limits(max_bytes=10_000))
    with pytest.raises(SourceError, match=r"more than 0.01 MB"):
        packed.get(URL)


def test_a_long_wait_is_left_to_the_user() -> None:
    waits: list[float] = []
    with pytest.raises(SourceError, match="asks to wait 3600 s"):
        web(lambda request: (429, {"Retry-After": "3600"}, ""), waits).get(URL)
    assert waits == []


def test_lines_come_one_by_one_whatever_the_chunks() -> None:
    text = "".join(f"row {i}\r\n" for i in range(50_000)) + "last"
    lines = list(web(always(text)).lines(URL, 10_000_000))
    assert (len(lines), lines[0], lines[-1]) == (50_001, "row 0", "last")
    with pytest.raises(SourceError, match="more than"):
        list(web(always(text)).lines(URL, 100_000))
