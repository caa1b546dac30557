"""Define `safeload doctor`."""

from __future__ import annotations

import sys
from typing import Any

import click

from safeload.bert._runtimes import OTHERS
from safeload.cli._options import PATH, activation, as_json, ending


@click.group(
    short_help="Check which parts of safeload work here, and how to fix the rest.",
    invoke_without_command=True,
    epilog=ending(
        "doctor",
        "safeload doctor                       what works here?",
        "safeload doctor bert models/uncased   the files, the versions, or keras-bert?",
        "safeload doctor bert models/uncased --against transformers   the same there?",
        "safeload doctor elmo models/elmo      the files, the versions, or AllenNLP?",
    ),
)
@as_json
@click.pass_context
def doctor(context: click.Context, *, as_json: bool) -> None:
    """Check which of safeload's calls work in this environment, and how to fix those that do not.

    Each call is tried on a tiny model in its own process, so that a library that aborts is detected too.
    """
    if context.invoked_subcommand is None:
        from safeload.cli import _doctoring  # noqa: PLC0415  (not for `safeload --help`)

        sys.exit(_doctoring.run(as_json=as_json))


@doctor.command(epilog=ending("doctor bert", "safeload doctor bert models/uncased"))
@click.argument("path", type=PATH)
@click.option("--checkpoint", "checkpoint_file", type=PATH, help="Prefix, any file of the checkpoint, or its folder.")
@click.option("--training", is_flag=True, help="With the MLM and NSP heads.")
@click.option("--scope", metavar="NAME", help="Of several encoders in the checkpoint, the one to load.")
@activation
@click.option(
    "--against",
    type=click.Choice(OTHERS),
    help="Compare what each layer computes in keras-bert and there. --activation is then of that library alone.",
)
@as_json
def bert(path: str, *, as_json: bool, **options: Any) -> None:  # noqa: ANN401  (those of diagnose_bert)
    """Find the fault when a BERT does not load or its numbers look wrong.

    Runs safeload's check, keras-bert's own loader, a direct restore with TensorFlow's reader and safeload's load, and
    compares what each put into every variable. Forms other than Google's checkpoints have safeload's
    check and load alone.

    With --against, safeload loads the model with keras-bert and with the other library, gives both the same texts, and
    prints how far each layer is apart, and which is the first that differs.
    """
    from safeload.cli import _diagnosing  # noqa: PLC0415  (not for `safeload --help`)

    sys.exit(_diagnosing.run("bert", path, options, as_json=as_json))


@doctor.command(epilog=ending("doctor elmo", "safeload doctor elmo models/elmo"))
@click.argument("path", type=PATH)
@click.option(
    "--weights", "weight_file", type=PATH, help="The HDF5 file, a training checkpoint, or the folder of either."
)
@click.option("--scope", metavar="NAME", help="Of several biLMs in a checkpoint, the one to load.")
@as_json
def elmo(path: str, *, as_json: bool, **options: Any) -> None:  # noqa: ANN401  (those of diagnose_elmo)
    """Find the fault when an ELMo does not load or its numbers look wrong.

    Runs safeload's check, AllenNLP's own loader, a direct read with h5py or TensorFlow and safeload's load in torch, in
    AllenNLP and in Keras, as far as they are installed, and compares what each put into every parameter.
    """
    from safeload.cli import _diagnosing  # noqa: PLC0415  (not for `safeload --help`)

    sys.exit(_diagnosing.run("elmo", path, options, as_json=as_json))
