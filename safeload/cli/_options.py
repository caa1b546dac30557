"""Define the options and the help epilog that several commands share."""

from __future__ import annotations

import click

from safeload.bert._runtimes import GELU_ERF, GELU_TANH, RUNTIMES
from safeload.cli._exit_codes import exit_codes

PATH = click.Path(exists=False)
as_json = click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
ignore_unused = click.option(
    "--ignore-unused",
    multiple=True,
    metavar="PATTERN",
    help="Shell-style pattern of unexpected tensors to allow. May be repeated.",
)
checkpoint = click.option("--checkpoint", type=PATH, help="Prefix, any file of the checkpoint, or its folder.")
vocab = click.option("--vocab", type=PATH, help="The vocabulary, if it is not next to the config.")
weights = click.option("--weights", type=PATH, help="The HDF5 file, or its folder.")
scope = click.option("--scope", metavar="NAME", help="Of several encoders in a checkpoint, the one to check.")
activation = click.option(
    "--activation",
    type=click.Choice([GELU_ERF, GELU_TANH]),
    help="How to compute GELU, if not as the library that the form belongs to.",
)

backend = click.option(
    "--backend",
    type=click.Choice(list(RUNTIMES)),
    help="Check what this library needs; it need not be installed. [default: keras-bert]",
)


cache_dir = click.option(
    "--cache-dir", type=PATH, metavar="FOLDER", help="Keep what is read from addresses in FOLDER, for the next time."
)
signature = click.option("--signature", type=PATH, help="The signature of the model; needs --signed-by.")
signed_by = click.option(
    "--signed-by", type=PATH, metavar="PEM", help="The public key of whoever signed, or the certificates to trust."
)


def ending(command: str, *examples: str) -> str:
    """Return the epilog of a command's help: calls to copy, and the exit codes; "" is `safeload` itself."""
    calls = "\n".join(f"  {line}" for line in examples)
    return f"\b\nExamples:\n{calls}\n\n{exit_codes(command)}"
