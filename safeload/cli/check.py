"""Define `safeload check`."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from safeload.cli._options import (
    PATH,
    activation,
    backend,
    cache_dir,
    checkpoint,
    ending,
    ignore_unused,
    scope,
    signature,
    signed_by,
    vocab,
    weights,
)
from safeload.cli._settings import ProjectCommand
from safeload.cli.formats import FORMATS


class _KindGroup(click.Group):
    """The commands for one kind of model; without one of them, the command that finds out the kinds."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the name of the command that finds out the kinds before paths and options of it."""
        if args and args[0] not in (*self.commands, "-h", "--help"):
            _require_path(ctx, args[0])
            args = [_ANY, *args]
        return super().parse_args(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command."""
        return check_any if cmd_name == _ANY else super().get_command(ctx, cmd_name)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write how it is called."""
        formatter.write_usage(ctx.command_path, _USAGE)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of the command that finds out the kinds, and the commands."""
        shown = [record for param in check_any.get_params(ctx) if (record := param.get_help_record(ctx))]
        with formatter.section("Options"):
            formatter.write_dl(shown)
        self.format_commands(ctx, formatter)


class _AnyContext(click.Context):
    """The context of the command whose name nobody writes."""

    @property
    def command_path(self) -> str:
        """The name of its group."""
        return self.parent.command_path if self.parent else super().command_path


class _AnyCommand(ProjectCommand):
    """The command that finds out the kinds."""

    context_class = _AnyContext

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's own)
        """Return how its group is called."""
        return [_USAGE]


_USAGE = "[bert|elmo|weights] [OPTIONS] PATH..."
_ANY = ""
"""The name under which a group finds the command that no one writes."""


def _require_path(ctx: click.Context, first: str) -> None:
    """Require that the first argument is an option or may be a path.

    Raises:
        click.UsageError: It is a word that is neither the name of a command nor a path.
    """
    if first and not (first.startswith("-") or any(mark in first for mark in "/\\~$.") or os.path.lexists(first)):
        raise click.UsageError(f"{first!r} is neither a kind of model nor an existing path", ctx)


@click.group(
    cls=_KindGroup,
    invoke_without_command=True,
    no_args_is_help=True,
    epilog=ending(
        "check",
        "safeload check models/                 every BERT and ELMo in the tree",
        "safeload check models/ --expect 12 --exclude 'draft-*'",
        "safeload check models/ --format sarif --output safeload.sarif",
        "safeload check s3://bucket/models/     every BERT and ELMo in a bucket",
        "safeload check bert models/uncased --training",
    ),
)
def check() -> None:
    """Check models as a load would, without TensorFlow or torch.

    Each PATH is a model in any form, or a folder above several, on the disk or at an address such as s3://bucket/models/.
    safeload finds out which is a BERT and which an ELMo; the commands check one kind, with the options of its load. Defaults may
    be in the table [tool.safeload.check] of the nearest pyproject.toml.
    """


def _any_check_command(function: Any) -> Any:  # noqa: ANN401  (click's decorators are untyped)
    """Give a command the options of every check."""
    for decorator in (
        click.option(
            "--format",
            "form",
            type=click.Choice(FORMATS),
            default="text",
            help="How results are written. [default: text]",
        ),
        click.option("--json", "as_json", is_flag=True, help="The same as --format json."),
        click.option(
            "-o",
            "--output",
            type=click.Path(dir_okay=False),
            metavar="FILE",
            help="Write the format to FILE, and text to the terminal.",
        ),
        click.option("-q", "--quiet", is_flag=True, help="Print bad models and the counts only."),
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
            help="Check each model in a process of its own, with nothing of the models before it.",
        ),
        click.option(
            "--expect", "expected", type=click.IntRange(1), metavar="N", help="Fail unless N models are found."
        ),
        click.option(
            "--exclude",
            "excluded",
            multiple=True,
            metavar="PATTERN",
            help="Shell-style pattern of folders and archives to leave out, by name or by path below PATH. May be repeated.",
        ),
        click.option("--dask", metavar="ADDRESS", help="Check on the workers of the Dask cluster with this scheduler."),
        click.option("--fail-fast", is_flag=True, help="Stop at the first bad model."),
        click.option("--strict", "is_strict", is_flag=True, help="Fail models with warnings."),
        cache_dir,
        signed_by,
        signature,
        click.option("--lock", "needs_lock", is_flag=True, help="Fail models that have no safeload.lock."),
        click.argument("paths", nargs=-1, required=True, type=PATH, metavar="PATH..."),
    ):
        function = decorator(function)
    return function


def _check_command(function: Any) -> Any:  # noqa: ANN401  (click's decorators are untyped)
    return _any_check_command(scope(ignore_unused(function)))


@click.command(cls=_AnyCommand)
@_any_check_command
def check_any(paths: tuple[str, ...], **rest: Any) -> None:  # noqa: ANN401
    """Check BERT and ELMo models of whatever kind."""
    _check(None, paths, {}, {}, **rest)


@check.command(
    "bert",
    cls=ProjectCommand,
    epilog=ending(
        "check",
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
    _check("bert", paths, options, {"--checkpoint": checkpoint, "--vocab": vocab}, **rest)


@check.command(
    "elmo",
    cls=ProjectCommand,
    epilog=ending(
        "check",
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
    cls=ProjectCommand,
    epilog=ending(
        "check",
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
    kind: str | None,
    paths: tuple[str, ...],
    options: dict[str, Any],
    of_one: dict[str, str | None],
    **rest: Any,  # noqa: ANN401
) -> None:
    from safeload.cli import _checking  # noqa: PLC0415  (not for `safeload --help`)
    from safeload.cli._console import print_error  # noqa: PLC0415
    from safeload.errors import ArgumentError  # noqa: PLC0415
    from safeload.fleet._checker import Checker  # noqa: PLC0415
    from safeload.fleet._found import Model  # noqa: PLC0415
    from safeload.fleet._tree import BERT_OR_ELMO, find_models  # noqa: PLC0415

    given = [name for name, value in of_one.items() if value is not None]
    if given and len(paths) > 1:
        raise click.UsageError(f"{given[0]} belongs to one PATH, and {len(paths)} are given")
    if rest["as_json"] and rest["form"] not in ("text", "json"):
        raise click.UsageError(f"--json is --format json, and --format {rest['form']} is given")
    if rest["dask"] and (rest["isolated"] or rest["jobs"]):
        raise click.UsageError("--jobs and --isolated are of this machine, and --dask is given")
    if "scope" in rest:
        options |= {"ignore_unused": list(rest["ignore_unused"]), "scope": rest["scope"]}
    options |= {name: given for name in ("signature", "signed_by", "cache_dir") if (given := rest[name]) is not None}
    checker = Checker(options=options, needs_lock=rest["needs_lock"], is_strict=rest["is_strict"])
    try:
        checker.require_options(kind)
    except ArgumentError as exc:
        print_error(exc, as_json=rest["as_json"])
        sys.exit(2)
    wanted = _checking.Wanted(
        jobs=rest["jobs"] or os.cpu_count() or 1,
        kind=kind,
        isolated=rest["isolated"],
        expected=rest["expected"],
        format="json" if rest["as_json"] else rest["form"],
        output=rest["output"],
        quiet=rest["quiet"],
        fail_fast=rest["fail_fast"],
        dask=rest["dask"],
    )
    if given:
        sys.exit(_checking.run(checker, [Model(paths[0], str(kind))], wanted))
    kinds = BERT_OR_ELMO if kind is None else (kind,)
    sys.exit(_checking.run(checker, find_models(kinds, paths, rest["excluded"]), wanted))
