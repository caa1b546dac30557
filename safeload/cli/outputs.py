"""Define `safeload outputs`."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from safeload.bert._runtimes import KERAS_BERT, RUNTIMES
from safeload.cli._options import PATH, activation, as_json, checkpoint, ending, scope, vocab, weights
from safeload.elmo._arguments import BACKENDS


@click.command(
    short_help="Save what a model computes, or compare it with what is expected.",
    epilog=ending(
        "outputs",
        "safeload outputs models/uncased --save uncased.outputs.json",
        "safeload outputs models/uncased --compare uncased.outputs.json --backend transformers",
        "safeload outputs converted/ --compare uncased.outputs.json    the same model in another form?",
        "safeload outputs models/elmo --save elmo.outputs.json --backend torch",
    ),
)
@click.argument("folder", type=PATH)
@click.option("--save", type=PATH, metavar="FILE", help="Write what each layer computes to FILE.")
@click.option("--compare", type=PATH, metavar="FILE", help="Compare each layer with FILE.")
@checkpoint
@vocab
@weights
@click.option("--training", is_flag=True, help="With the MLM and NSP heads.")
@activation
@scope
@click.option(
    "--backend",
    type=click.Choice([*RUNTIMES, *BACKENDS]),
    help=f"The library that the model is loaded with. [default: {KERAS_BERT.id} for a BERT, {BACKENDS[0]} for an ELMo]",
)
@click.option("--overwrite", is_flag=True, help="Replace FILE.")
@as_json
def outputs(folder: str, *, save: str | None, compare: str | None, as_json: bool, **options: Any) -> None:  # noqa: ANN401
    """Load the BERT or ELMo in FOLDER and save what its layers compute for a few fixed texts, or compare them with such a file.

    FOLDER may be an archive; safeload finds out which model is in it. The file is small, and of no library: save it with one, and compare
    another library, another version or a converted copy with it. A difference says in which layer it begins. --checkpoint, --vocab,
    --training and --activation are for a BERT, --weights is for an ELMo.
    """
    from safeload.cli import _outputting  # noqa: PLC0415  (not for `safeload --help`)

    if (save is None) == (compare is None):
        raise click.UsageError("give either --save FILE or --compare FILE")
    if compare is not None and options["overwrite"]:
        raise click.UsageError("--overwrite is of --save")
    file = _outputting.Wanted(save or compare or "", is_saved=save is not None)
    sys.exit(_outputting.run(os.fspath(folder), file, options, as_json=as_json))
