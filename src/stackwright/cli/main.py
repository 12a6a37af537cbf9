"""Entry point: commands are imported only when they run, so that help and completion stay fast."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from stackwright import __version__
from stackwright.errors import StackwrightError

_COMMANDS = {
    "plan": ("stackwright.cli.plan", "Rank the stacks that serve a model under a promise at the lowest cost."),
    "compare": ("stackwright.cli.compare", "Compare ecosystems: makers, clouds and APIs for one workload."),
    "predict": ("stackwright.cli.predict", "Predict one operating point, or a table of them."),
    "explain": ("stackwright.cli.explain", "Show where the time of an operating point goes."),
    "validate": ("stackwright.cli.validate", "Score predictions against measured operating points."),
    "calibrate": ("stackwright.cli.calibrate", "Fit the constants to measured operating points."),
    "catalog": ("stackwright.cli.catalog", "List, show, check and refresh chips, systems, engines, models and offers."),
    "workload": ("stackwright.cli.workload", "List and show traffic profiles and traces."),
    "completion": ("stackwright.cli.completion", "Print the tab-completion script of a shell."),
}

_LATER = {
    "simulate": "replaying traces through an engine's scheduler",
    "price": "owning, committing and the value waterfall",
    "train": "training runs",
    "portfolio": "multi-year commitments",
    "capacity": "the smallest deployment by simulation",
    "measure": "load tests and importers",
    "web": "the web page and REST",
    "mcp": "tools for agents",
}


class _Lazy(click.Group):
    """A group whose commands are modules with a `command` object, loaded on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _COMMANDS:
            command = importlib.import_module(_COMMANDS[cmd_name][0]).command
            assert isinstance(command, click.Command)
            return command
        if cmd_name in _LATER:
            raise click.UsageError(f"`stackwright {cmd_name}` ({_LATER[cmd_name]}) is not there yet")
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, help_text) in _COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in _COMMANDS and name not in _LATER:
            import difflib

            near = difflib.get_close_matches(name, _COMMANDS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; one of {', '.join(_COMMANDS)}"
            raise click.UsageError(f"unknown command {name!r}{hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Lazy,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, prog_name="stackwright")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Stackwright designs AI stacks: the chip, cloud, contract, engine, precision and parallelism that keep a latency
    promise at the lowest cost, with an interval and a source for each figure.

    Exit status: 0 answered, 2 bad input (one line says what and where), 1 a bug.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 answered, 2 bad input, 1 a bug, 130 interrupted."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without UTF-8 still gets its answer
    status = run(arguments)
    try:
        sys.stdout.flush()
    except OSError:
        _drop_output()
    sys.exit(status)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status; messages go to standard error in one line."""
    try:
        result = cli.main(args=None if arguments is None else list(arguments), standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as stop:
        return int(stop.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _say("interrupted", 130)
    except click.ClickException as error:
        return _say(f"error: {error.format_message()}", 2)
    except StackwrightError as error:
        return _say(f"error: {error}", 2)
    except SystemExit as stop:  # click and rich leave this way when the reader of a pipe has gone
        if isinstance(stop.__context__, BrokenPipeError):
            return _drop_output()
        raise
    except BrokenPipeError:
        return _drop_output()
    except OSError as error:
        _drop_output()
        return _say(f"error: {error.filename or 'standard output'}: {error.strerror or error}", 2)
    except Exception as error:
        if os.environ.get("STACKWRIGHT_DEBUG"):
            raise
        return _say(f"bug: {type(error).__name__}: {error} (set STACKWRIGHT_DEBUG=1 for the traceback)", 1)


def _say(message: str, status: int) -> int:
    print(" ".join(message.split()), file=sys.stderr)
    return status


def _drop_output() -> int:
    """Send what is still buffered for standard output nowhere: nobody reads it."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
