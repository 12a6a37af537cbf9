"""`stackwright completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion", short_help="Print the tab-completion script of a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the tab-completion script of SHELL.

    \b
    bash:  stackwright completion bash > ~/.local/share/bash-completion/completions/stackwright
    zsh:   stackwright completion zsh > ~/.zfunc/_stackwright
    fish:  stackwright completion fish > ~/.config/fish/completions/stackwright.fish
    """
    from stackwright.cli.main import cli

    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(cli, {}, "stackwright", "_STACKWRIGHT_COMPLETE").source())
