"""Define `safeload completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from safeload.cli._options import ending

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_SAFELOAD_COMPLETE"
"""By which click is asked for completions; it follows from the name of the command."""


@click.command(
    short_help="Print the completion for a shell.",
    epilog=ending(
        "completion",
        "safeload completion bash >> ~/.bashrc",
        "safeload completion zsh >> ~/.zshrc    after the line with compinit",
        "safeload completion fish > ~/.config/fish/completions/safeload.fish",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes SHELL complete commands, options and paths of safeload with Tab. It takes effect in a new shell."""
    made_by = get_completion_class(shell)
    assert made_by is not None  # noqa: S101  (click has all of `SHELLS`)
    click.echo(made_by(context.find_root().command, {}, "safeload", VARIABLE).source())
