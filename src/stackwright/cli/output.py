"""Writing: JSON documents, rich tables, numbers with sensible digits."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.table import Table

Figure = Mapping[str, Any] | None


def emit_json(document: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(document, indent=1, allow_nan=False))


def console() -> Console:
    """Standard output; wide enough for the tables when it is not a terminal."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=180)


@contextmanager
def working(what: str, quiet: bool = False) -> Iterator[None]:
    """A spinner on standard error while something takes its time; nothing when it is not a terminal."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    with Console(stderr=True).status(what):
        yield


def table(title: str, *columns: str, right: tuple[str, ...] = ()) -> Table:
    """A plain table with a title."""
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 1))
    for name in columns:
        made.add_column(name, justify="right" if name in right else "left", no_wrap=name in right, header_style="bold")
    return made


def number(value: float | None, digits: int = 3) -> str:
    """A number with `digits` significant digits; a dash where there is none."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:#.{digits}g}".rstrip(".")


def interval(figure: Figure, scale: float = 1.0, digits: int = 3) -> str:
    """value [low - high] of a figure, scaled."""
    if figure is None or figure["value"] is None:
        return "-"
    low, high = (number(None if figure[k] is None else figure[k] * scale, digits) for k in ("low", "high"))
    return f"{number(figure['value'] * scale, digits)} [{low} - {high}]"


def value(figure: Figure, scale: float = 1.0, digits: int = 3) -> str:
    """The value of a figure, scaled, without its interval."""
    return "-" if figure is None or figure["value"] is None else number(figure["value"] * scale, digits)
