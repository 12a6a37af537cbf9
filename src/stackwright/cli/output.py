"""Writing: JSON documents, rich tables, numbers with sensible digits."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

Figure = Mapping[str, Any] | None


def emit_json(document: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(document, indent=1, allow_nan=False))


def console() -> Console:
    """Standard output; wide enough for the tables when it is not a terminal. Names are printed as they are."""
    width = None if sys.stdout.isatty() else 220
    return Console(highlight=False, markup=False, emoji=False, width=width)


def lead(out: Console, bold: str, rest: str) -> None:
    """A line whose first words stand out."""
    out.print(Text.assemble((bold, "bold"), rest))


def remark(out: Console, text: str) -> None:
    """A line of small print."""
    out.print(f"- {text}", style="dim")


@contextmanager
def working(what: str, quiet: bool = False) -> Iterator[None]:
    """A spinner on standard error while something takes its time; nothing when it is not a terminal."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    with Console(stderr=True).status(what):
        yield


@contextmanager
def counting(what: str, total: int, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Yields a function to call before each of `total` steps: a bar on standard error; nothing without a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        started = False

        def step(name: str) -> None:
            nonlocal started
            bar.update(task, description=f"{what}: {name}", advance=1 if started else 0)
            started = True

        yield step


@contextmanager
def transfer(quiet: bool = False) -> Iterator[Callable[[str, int], None] | None]:
    """Counts the bytes that arrive from each source on standard error; None when it is not a terminal."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    with Console(stderr=True).status("asking") as status:
        yield lambda source, n: status.update(f"{source}: {n / 1e6:.1f} MB")


def fold_counter(quiet: bool = False) -> Callable[[str, int, int], None] | None:
    """Counts the folds of a cross-validation on standard error; None when it is not a terminal."""
    if quiet or not sys.stderr.isatty():
        return None
    return lambda how, done, of: click.echo(f"cross-validation, {how}: fold {done} of {of}", err=True)


FOLDED = 40


class Sheet:
    """A plain table with a title: numbers at the right; columns that may go, go where the terminal is too narrow."""

    def __init__(self, title: str, columns: Sequence[str], right: Sequence[str], may_go: Sequence[str]) -> None:
        self.title, self.columns, self.right, self.may_go = title, list(columns), set(right), list(may_go)
        self.rows: list[tuple[str, ...]] = []

    def add_row(self, *cells: str) -> None:
        """One row, a cell for each column."""
        self.rows.append(cells)

    def shown(self, width: int) -> list[int]:
        """Numbers of the columns that fit `width`, dropping those that may go, first named first."""
        kept = list(range(len(self.columns)))
        for name in self.may_go:
            if sum(self._width(i) + 2 for i in kept) <= width:
                break
            kept.remove(self.columns.index(name))
        return kept

    def _width(self, column: int) -> int:
        lines = [line for row in self.rows for line in row[column].split("\n")]
        widest = max(len(line) for line in [self.columns[column], *lines])
        return widest if self.columns[column] in self.right else min(widest, FOLDED)  # text may fold, numbers not

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        kept = self.shown(options.max_width)
        made = Table(
            title=self.title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 1)
        )
        for i in kept:
            name = self.columns[i]
            number_like = name in self.right
            made.add_column(name.strip(), justify="right" if number_like else "left", no_wrap=number_like,
                            overflow="ellipsis" if number_like else "fold", header_style="bold")  # fmt: skip
        for row in self.rows:
            made.add_row(*(row[i] for i in kept))
        yield made
        if len(kept) < len(self.columns):
            gone = ", ".join(c.strip() for i, c in enumerate(self.columns) if i not in kept)
            yield Text(f"(a wider terminal, or --json, also shows: {gone})", style="dim")


def table(title: str, *columns: str, right: Sequence[str] = (), may_go: Sequence[str] = ()) -> Sheet:
    """An empty sheet; `right` names the columns of numbers, `may_go` those that a narrow terminal does without."""
    return Sheet(title, columns, right, may_go)


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
