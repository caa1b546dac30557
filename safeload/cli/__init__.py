"""Provide the command line, `safeload` or `python -m safeload`."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from safeload._text.words import visible
from safeload._version import __version__
from safeload.cli import _console
from safeload.cli._ending import ended_early
from safeload.cli._options import ending
from safeload.cli.check import check
from safeload.cli.completion import completion
from safeload.cli.convert import convert
from safeload.cli.doctor import doctor
from safeload.cli.inspect import diff, inspect
from safeload.cli.lock import lock
from safeload.cli.outputs import outputs

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Commands(click.Group):
    def main(self, *args: Any, **extra: Any) -> Any:  # noqa: ANN401  (click's own)
        """Run a command; a signal, or output that cannot be written, ends the process with its exit code."""
        with ended_early():
            return super().main(*args, **extra)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:  # noqa: ANN401  (click's own)
        """Parse the arguments."""
        with _escaped_usage():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  (click's own)
        """Parse the arguments of the subcommand, and run it."""
        with _escaped_usage():
            return super().invoke(ctx)


@contextmanager
def _escaped_usage() -> Iterator[None]:
    """Escape the arguments that a message repeats: a shell's wildcard makes them of the names of files."""
    try:
        yield
    except getattr(click.exceptions, "NoArgsIsHelpError", ()):  # from click 8.2 on; its message is the help
        raise
    except click.UsageError as exc:
        raise click.UsageError(visible(exc.format_message()), exc.ctx) from exc


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=ending(
        "",
        "safeload check bert models/uncased   is it complete, and does it fit its config?",
        "safeload inspect models/uncased      what is in it?",
        "safeload convert models/uncased hf --form safetensors   write it in another form",
        "safeload doctor                      which parts of safeload work here?",
        "safeload demo                        see loads succeed, and broken copies fail",
    ),
)
@click.version_option(__version__, "-V", "--version", prog_name="safeload")
def main() -> None:
    """Check, inspect, compare and lock BERT and ELMo weights."""


@main.command(
    short_help="Load a tiny BERT and a tiny ELMo, then broken copies of them.",
    epilog=ending("demo", "safeload demo"),
)
def demo() -> None:
    """Write a tiny BERT and a tiny ELMo, load them in every form, then load broken copies of each.

    Needs the extra 'bert', 'elmo' or, for both, 'all'. Everything is written to a temporary folder, which is removed at
    the end.
    """
    from safeload.demo import run  # noqa: PLC0415  (not for `safeload --help`)

    out = _console.console()
    styles = {"title": _console.TITLE, "good": _console.OK, "bad": _console.BAD}

    def show(text: str, style: str = "") -> None:
        for each in text.split("\n"):
            _console.line(out, (each, styles.get(style, "")))

    if not run(show):
        raise click.exceptions.Exit(1)


for _command in (check, inspect, diff, lock, outputs, convert, doctor, completion):
    main.add_command(_command)
