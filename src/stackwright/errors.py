"""Errors a user can act on. Faces print the message in one line and exit with status 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class StackwrightError(Exception):
    """Base of every error the package raises on purpose."""


class InputError(StackwrightError):
    """The question is wrong or incomplete: says what, where, and what to do."""


class UnknownIdError(InputError):
    """An id that the catalogue does not know, with the nearest ids it does know."""

    def __init__(self, kind: str, given: str, known: Iterable[str], hint: str = "") -> None:
        self.kind, self.given = kind, given
        lowered = {k.lower(): k for k in known}
        near = [lowered[k] for k in difflib.get_close_matches(given.lower(), lowered, n=3, cutoff=0.5)]
        if not near:
            near = [v for k, v in lowered.items() if given.lower() in k][:3]
        did_you_mean = f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
        super().__init__(
            f"unknown {kind} {given!r}{did_you_mean or '; '}{'' if near else hint or 'see `stackwright catalog list`'}"
        )


class UnsupportedError(InputError):
    """Known, but not answerable yet: refused with what is missing instead of guessed."""


class CatalogError(StackwrightError):
    """A catalogue record is broken: names the file and the field."""


class SourceError(StackwrightError):
    """A public price list cannot be read: says which, why, and what to do."""
