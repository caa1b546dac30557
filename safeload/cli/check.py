"""Define `safeload check`."""

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
    examples,
    ignore_unused,
    scope,
    signature,
    signed_by,
    vocab,
    weights,
)


class _KindGroup(click.Group):
    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:  # noqa: ANN401  (click's own triple)
        """Return the command; a path instead of one means that the model kind is missing."""
        if args and args[0] not in self.commands and os.path.exists(args[0]):
            message = (
                f"give the kind of model: safeload check bert {args[0]}, or elmo, or, for the weights alone, weights"
            )
            raise click.UsageError(message, ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_KindGroup)
def check() -> None:
    """Check models as a load would, without TensorFlow or torch.

    Exit code: 0 every model is good, 1 a model is bad or --expect fails, 2 wrong usage or a folder that cannot be read.
    """


def _any_check_command(function: Any) -> Any:  # noqa: ANN401  (click's decorators are untyped)
    """Give a command the options of every check."""
    for decorator in (
        as_json,
        click.option("-q", "--quiet", is_flag=True, help="Print bad models only."),
        click.option(
            "-j",
            "--jobs",
            type=click.IntRange(1),
            metavar="N",
            help="Number of models to check in parallel. [default: number of cores]",
        ),
        click.option(
            "--isolated",
            is_flag=True,
            help="Check each model in its own process, so that a crash affects only that model.",
        ),
        click.option(
            "--expect", "expected", type=click.IntRange(1), metavar="N", help="Fail unless N models are found."
        ),
        click.option("--strict", "is_strict", is_flag=True, help="Fail models with warnings."),
        signed_by,
        signature,
        click.option("--lock", "needs_lock", is_flag=True, help="Fail models that have no safeload.lock."),
        click.argument("paths", nargs=-1, required=True, type=PATH, metavar="PATH..."),
    ):
        function = decorator(function)
    return function


def _check_command(function: Any) -> Any:  # noqa: ANN401  (click's decorators are untyped)
    return _any_check_command(scope(ignore_unused(function)))


@check.command(
    "bert",
    epilog=examples(
        "safeload check bert models/uncased",
        "safeload check bert models/            every model in the tree",
        "safeload check bert models/ --expect 12",
        "safeload check bert bert_config.json --checkpoint out/model.ckpt-1000",
        "safeload check bert models/ --lock --json > report.json",
        "safeload check bert models/uncased --signature model.sig --signed-by publisher.pub",
    ),
)
@checkpoint
@vocab
@click.option("--training", is_flag=True, help="Check the MLM and NSP heads too.")
@activation
@backend
@_check_command
def check_bert(paths: tuple[str, ...], checkpoint: str | None, vocab: str | None, **rest: Any) -> None:  # noqa: ANN401
    """Check BERT models: each PATH is a config file, a model's folder, or a folder above several."""
    options = {"checkpoint_file": checkpoint, "vocab_file": vocab}
    options |= {name: rest.pop(name) for name in ("training", "activation")}
    options |= {"backend": given} if (given := rest.pop("backend")) else {}
    if given == "keras-hub" and options["training"]:
        raise click.UsageError(
            "--training is of --backend keras-bert and transformers: keras-hub builds no MLM and NSP heads"
        )
    _check("bert", paths, options, {"--checkpoint": checkpoint, "--vocab": vocab}, **rest)


@check.command(
    "elmo",
    epilog=examples(
        "safeload check elmo models/elmo",
        "safeload check elmo elmo_options.json --weights elmo_weights.hdf5",
    ),
)
@weights
@_check_command
def check_elmo(paths: tuple[str, ...], weights: str | None, **rest: Any) -> None:  # noqa: ANN401
    """Check ELMo models: each PATH is an options file, a model's folder, or a folder above several."""
    _check("elmo", paths, {"weight_file": weights}, {"--weights": weights}, **rest)


@check.command(
    "weights",
    epilog=examples(
        "safeload check weights model.safetensors",
        "safeload check weights ~/.cache/huggingface/hub     every model in the cache, by the names of its blobs",
        "safeload check weights stable-diffusion/ --lock     every part of a pipeline",
    ),
)
@_any_check_command
def check_weights(paths: tuple[str, ...], **rest: Any) -> None:  # noqa: ANN401
    """Check the weights of any model, without its config: each PATH is a weight file, a folder, or a folder above several."""
    _check("weights", paths, {}, {}, **rest)


def _check(
    kind: str,
    paths: tuple[str, ...],
    options: dict[str, Any],
    of_one: dict[str, str | None],
    **rest: Any,  # noqa: ANN401
) -> None:
    from safeload.cli import _checking  # noqa: PLC0415  (not for `safeload --help`)
    from safeload.cli._models import Checker  # noqa: PLC0415
    from safeload.cli._tree import Found, find_models  # noqa: PLC0415

    given = [name for name, value in of_one.items() if value is not None]
    if given and len(paths) > 1:
        raise click.UsageError(f"{given[0]} belongs to one PATH, and {len(paths)} are given")
    if "scope" in rest:
        options |= {"ignore_unused": list(rest["ignore_unused"]), "scope": rest["scope"]}
    options |= {name: given for name in ("signature", "signed_by") if (given := rest[name]) is not None}
    checker = Checker(kind=kind, options=options, needs_lock=rest["needs_lock"], is_strict=rest["is_strict"])
    wanted = _checking.Wanted(
        jobs=rest["jobs"] or os.cpu_count() or 1,
        isolated=rest["isolated"],
        expected=rest["expected"],
        as_json=rest["as_json"],
        quiet=rest["quiet"],
    )
    sys.exit(_checking.run(checker, Found(list(paths), [], {}) if given else find_models(kind, paths), wanted))
