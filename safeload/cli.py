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
      safeload demo       see a checkpoint load in every form, and six broken ones fail
    """  # noqa: D301  (the backslash is click's mark for text that keeps its lines)


@main.command()
def demo() -> None:
    """Write a tiny BERT checkpoint, load it in every form of its path, then load six broken copies.

    Needs the extra 'bert'. Everything is written to a temporary folder, which is removed at the end.
    """
    from safeload.demo import run  # noqa: PLC0415  (writes with TensorFlow)

    run(click.echo)
