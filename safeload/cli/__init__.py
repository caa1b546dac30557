"""Provide the command line, `safeload` or `python -m safeload`."""

from __future__ import annotations

import click

from safeload._version import __version__
from safeload.cli._options import examples
from safeload.cli.check import check
from safeload.cli.doctor import doctor
from safeload.cli.inspect import diff, inspect
from safeload.cli.lock import lock


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "safeload check bert models/uncased   is it whole, and does it fit its config?",
        "safeload inspect models/uncased      what is in it?",
        "safeload doctor                      which parts of safeload work here?",
        "safeload demo                        see loads succeed, and broken copies fail",
    ),
)
@click.version_option(__version__, prog_name="safeload")
def main() -> None:
    """Check, inspect, compare and lock BERT and ELMo weights.

    Shell completion: eval "$(_SAFELOAD_COMPLETE=bash_source safeload)"; for zsh or fish, use zsh_source or fish_source.
    """


@main.command(short_help="Load a tiny BERT and a tiny ELMo, then broken copies of them.")
def demo() -> None:
    """Write a tiny BERT and a tiny ELMo, load them in every form, then load broken copies of each.

    Needs the extra 'bert', 'elmo' or, for both, 'all'. Everything is written to a temporary folder, which is removed at
    the end.
    """
    from safeload.demo import run  # noqa: PLC0415  (not for `safeload --help`)

    run(click.echo)


for _command in (check, inspect, diff, lock, doctor):
    main.add_command(_command)
