"""The command line: `safeload`, also `python -m safeload`."""

from __future__ import annotations

import click

import safeload


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(safeload.__version__, prog_name="safeload")
def main() -> None:
    """Safe loaders for BERT and ELMo weights.

    \b
    Example:
      safeload demo       see a BERT and an ELMo load in every form, and broken copies fail
    """  # noqa: D301  (the backslash is click's mark for text that keeps its lines)


@main.command()
def demo() -> None:
    """Write a tiny BERT and a tiny ELMo, load them in every form, then load broken copies of each.

    Needs the extra 'bert', 'elmo' or, for both, 'all'. Everything is written to a temporary folder, which is removed at
    the end.
    """
    from safeload.demo import run  # noqa: PLC0415  (not for `safeload --help`)

    run(click.echo)
