"""Define `safeload lock`."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from safeload.cli._options import (
    PATH,
    activation,
    as_json,
    backend,
    checkpoint,
    ending,
    ignore_unused,
    scope,
    vocab,
    weights,
)


@click.command(
    short_help="Record the SHA-256 of a model's files.",
    epilog=ending(
        "lock",
        "safeload lock models/uncased                writes safeload.lock into it",
        "safeload lock models/                       each model in the tree",
        "safeload lock models/uncased --update       after an intended change",
        "safeload lock models/two --scope student    of several encoders, check this one",
        "safeload lock --any stable-diffusion/unet   the weights alone, of any model",
        "safeload lock s3://bucket/bert --output bert.lock    of an address, to pass as lock_file",
        "safeload lock models/uncased --sign key.pem    writes model.sig into it too",
        "safeload check bert models/uncased --lock   fails if any byte differs",
    ),
)
@click.argument("folder", type=PATH)
@click.option("--update", is_flag=True, help="Replace an existing lock that differs.")
@click.option("-o", "--output", type=PATH, metavar="FILE", help="The lock to write. [default: FOLDER/safeload.lock]")
@click.option("--any", "is_any", is_flag=True, help="Lock the weights alone, of any model.")
@click.option("--sign", "private_key", type=PATH, metavar="PEM", help="Sign the folder too, with this private key.")
@click.option("--certificate", type=PATH, metavar="PEM", help="The certificate of that key, to sign with it.")
@click.option(
    "--chain", type=PATH, metavar="PEM", multiple=True, help="Certificates that vouch for it. May be repeated."
)
@click.option("--signature", type=PATH, help="The signature to write. [default: FOLDER/model.sig]")
@checkpoint
@vocab
@activation
@backend
@weights
@scope
@ignore_unused
@as_json
def lock(folder: str, *, update: bool, is_any: bool, as_json: bool, **options: Any) -> None:  # noqa: ANN401  (click's own)
    """Check the model in FOLDER and write its safeload.lock: the size and SHA-256 of each of its files.

    FOLDER may be an archive, a folder above several models, each of which is locked, or the address of one model, whose lock
    is written to --output. If that lock exists, the model is compared with it. --checkpoint, --vocab, --activation and --backend are for a BERT, --weights is for an ELMo.

    From then on, every load and check of the model compares its files with the lock. With --sign, all files in FOLDER are
    signed in the format of OpenSSF model signing, for a load with `signature` and `signed_by`.
    """
    from safeload.cli import _locking  # noqa: PLC0415  (not for `safeload --help`)

    of_bert = {
        "checkpoint_file": options["checkpoint"],
        "vocab_file": options["vocab"],
        "activation": options["activation"],
        "backend": options["backend"],
    }
    of_elmo = {"weight_file": options["weights"]}
    output = options.pop("output")
    signing = {name: options.pop(name) for name in ("private_key", "certificate", "chain", "signature")}
    if any(signing.values()) and not signing["private_key"]:
        raise click.UsageError("--certificate, --chain and --signature are for --sign")
    if signing["chain"] and not signing["certificate"]:
        raise click.UsageError("--chain vouches for a --certificate")
    given = [kind for kind, names in (("bert", of_bert), ("elmo", of_elmo)) if any(names.values())]
    if len(given) > 1:
        raise click.UsageError(
            "--weights is for an ELMo, --checkpoint, --vocab, --activation and --backend are for a BERT"
        )
    if is_any:
        if given or options["scope"] or options["ignore_unused"]:
            raise click.UsageError(
                "--any locks the weights of any model, and the other options are for a BERT or an ELMo"
            )
        sys.exit(
            _locking.run(
                os.fspath(folder),
                _locking.Wanted(kind="weights", output=output, signing=signing),
                update=update,
                as_json=as_json,
            )
        )
    wanted = _locking.Wanted(
        kind=given[0] if given else None,
        output=output,
        signing=signing,
        options={
            "ignore_unused": list(options["ignore_unused"]),
            "scope": options["scope"],
            **{name: value for name, value in (of_bert | of_elmo).items() if value},
        },
    )
    sys.exit(_locking.run(os.fspath(folder), wanted, update=update, as_json=as_json))
