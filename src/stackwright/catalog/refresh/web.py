"""Reading a public address: time limits, a few retries, a size limit, and one line when it does not work.

Only the standard library. Nothing is sent but the request itself; a redirect to another host, or from https to http,
is refused, so that a key in a header never travels.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import http.client
import json
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import IO, Any
from urllib.parse import urlsplit

from stackwright.errors import SourceError

CHUNK_BYTES = 1 << 18
LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost"})
TRY_AGAIN = frozenset({429, 500, 502, 503, 504})

Open = Callable[[urllib.request.Request, float], Any]


@dataclass(frozen=True)
class Limits:
    """Seconds a connection may be silent, attempts, longest wait between them (s), most bytes (as unpacked)."""

    timeout_s: float = 30.0
    attempts: int = 3
    wait_s: float = 60.0
    max_bytes: int = 64_000_000


class _SameHost(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        _same_host(req.full_url, newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _same_host(url: str, other: str) -> None:
    """Raise `SourceError` unless both are of one host, and the second is read as safely as the first."""
    if host(url) != host(other):
        raise SourceError(f"{host(url)}: points to another host ({host(other)}); not followed")
    if urlsplit(url).scheme != urlsplit(other).scheme:
        raise SourceError(f"{host(url)}: points from {urlsplit(url).scheme} to {urlsplit(other).scheme}; not followed")


def host(url: str) -> str:
    """The host of an address, for messages."""
    return urlsplit(url).hostname or url


def _open(request: urllib.request.Request, timeout: float) -> Any:
    return urllib.request.build_opener(_SameHost()).open(request, timeout=timeout)


class Web:
    """The answers of one source: keeps the addresses asked and one SHA-256 over all bytes received, in order."""

    def __init__(
        self,
        limits: Limits | None = None,
        opener: Open = _open,
        sleep: Callable[[float], None] = time.sleep,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.urls: list[str] = []
        self._opener, self._sleep, self._progress = opener, sleep, progress
        self._digest, self._received = hashlib.sha256(), 0

    @property
    def sha256(self) -> str:
        """SHA-256 of every byte read so far, as unpacked."""
        return self._digest.hexdigest()

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> bytes:
        """The whole answer. Raises `SourceError` after the last attempt, or beyond the size limit."""
        for attempt in range(1, self.limits.attempts + 1):
            try:
                content = b"".join(self._chunks(url, headers or {}, self.limits.max_bytes))
                break
            except _Passing as error:
                self._wait(url, error, attempt)
        self._note(url, content)
        return content

    def json(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        """The answer as JSON. Raises `SourceError` where it is none (an error page, a cut answer)."""
        content = self.get(url, headers)
        try:
            return json.loads(content)
        except ValueError:
            kind = "a web page" if content.lstrip()[:1] == b"<" else "no complete JSON"
            raise SourceError(f"{host(url)}: answered with {kind} where JSON was expected; try again later") from None

    def follow(self, url: str, link: str) -> str:
        """The address of a further page. Raises `SourceError` where it leaves the host."""
        _same_host(url, link)
        return link

    def lines(self, url: str, max_bytes: int) -> Iterator[str]:
        """The lines of a long text, one at a time; never the whole. A break after the first byte is an error."""
        rest, seen = b"", False
        for attempt in range(1, self.limits.attempts + 1):
            try:
                for chunk in self._chunks(url, {}, max_bytes):
                    if not seen:
                        seen = True
                        self.urls.append(url)
                    self._digest.update(chunk)
                    *whole, rest = (rest + chunk).split(b"\n")
                    for line in whole:
                        yield line.decode("utf-8", "replace").rstrip("\r")
                break
            except _Passing as error:
                if seen:
                    raise SourceError(f"{host(url)}: {error}; nothing was written") from None
                self._wait(url, error, attempt)
        if rest:
            yield rest.decode("utf-8", "replace")

    def _note(self, url: str, content: bytes) -> None:
        self.urls.append(url)
        self._digest.update(content)

    def _wait(self, url: str, error: _Passing, attempt: int) -> None:
        if attempt == self.limits.attempts:
            raise SourceError(f"{host(url)}: {error} ({attempt} attempts); the earlier prices stay") from None
        asked = error.retry_after_s if error.retry_after_s is not None else 2.0 ** (attempt - 1)
        if asked > self.limits.wait_s:
            raise SourceError(f"{host(url)}: {error}, asks to wait {asked:.0f} s; try again after that") from None
        self._sleep(asked)

    def _chunks(self, url: str, headers: Mapping[str, str], max_bytes: int) -> Iterator[bytes]:
        if urlsplit(url).scheme != "https" and host(url) not in LOCAL_HOSTS:
            raise SourceError(f"{host(url)}: only https addresses are read")
        request = urllib.request.Request(
            url, headers={"User-Agent": "stackwright", "Accept-Encoding": "gzip", **headers}
        )
        try:
            with self._opener(request, self.limits.timeout_s) as answer:
                yield from self._unpacked(url, answer, max_bytes)
        except urllib.error.HTTPError as error:
            if error.code in TRY_AGAIN:
                raise _Passing(f"HTTP status {error.code}", _seconds(error.headers.get("Retry-After"))) from None
            raise SourceError(f"{host(url)}: HTTP status {error.code} ({error.reason})") from None
        except TimeoutError:
            raise _Passing(f"no answer within {self.limits.timeout_s:g} s") from None
        except zlib.error:
            raise _Passing("the packed answer is broken") from None
        except (OSError, http.client.HTTPException) as error:  # URLError is an OSError, and so is a broken TLS record
            raise _Passing(f"cannot be read ({getattr(error, 'reason', error) or type(error).__name__})") from None

    def _unpacked(self, url: str, answer: Any, max_bytes: int) -> Iterator[bytes]:
        """Chunks of the body; a body shorter than announced, or a gzip stream without its end, is a passing fault."""
        announced = answer.headers.get("Content-Length")
        packed = zlib.decompressobj(16 + zlib.MAX_WBITS) if answer.headers.get("Content-Encoding") == "gzip" else None
        raw = size = 0
        while chunk := answer.read(CHUNK_BYTES):
            raw += len(chunk)
            data = packed.decompress(chunk) if packed else chunk
            size += len(data)
            if size > max_bytes:
                raise SourceError(f"{host(url)}: more than {max_bytes / 1e6:g} MB; not read further")
            self._received += len(chunk)
            if self._progress:
                self._progress(self._received)
            yield data
        if (announced and announced.isdigit() and raw < int(announced)) or (packed and raw and not packed.eof):
            raise _Passing(f"the answer broke off after {raw:,} bytes")


class _Passing(Exception):
    """A fault that another attempt may cure."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


def _seconds(retry_after: str | None) -> float | None:
    """Seconds of a Retry-After header: a number or an HTTP date (RFC 9110, section 10.2.3); None where unreadable."""
    if retry_after is None:
        return None
    try:
        return max(float(retry_after), 0.0)
    except ValueError:
        pass
    try:
        return max((parsedate_to_datetime(retry_after) - dt.datetime.now(dt.UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None
