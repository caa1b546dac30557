"""Step 4 for BERT: the variables that keras-bert reads against those that the checkpoint holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from safeload import _files
from safeload._compare import compare, matched, size_claims, split_ignored
from safeload.bert import _variables
from safeload.errors import VariableMismatchError, first_few
from safeload.report import LoadReport, Problem, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from safeload._formats.tensor_bundle import TensorBundle
    from safeload.bert._config import BertConfig
    from safeload.bert._variables import BertVariable

_NUMBER = re.compile(r"(?<!layer)_\d+(?=/|$)")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What the comparison of a checkpoint that fits has found.

    Attributes:
        scope: What stands before every name in the checkpoint.
        unused: Class -> names that this load does not need.
        ignored: Unexpected names that the caller chose to ignore.
    """

    scope: str
    unused: dict[str, tuple[str, ...]]
    ignored: tuple[str, ...]


def compare_checkpoint(
    variables: Mapping[str, BertVariable],
    bundle: TensorBundle,
    config: BertConfig,
    *,
    ignore_unused: Iterable[str],
) -> Comparison:
    """Compare names, shapes and dtypes.

    Raises:
        WrongFileKindError: The checkpoint is of another model: ALBERT, ELECTRA, RoBERTa, NEZHA, TF2 object-based, ...
        VariableMismatchError: Variables are missing, unexpected, or of another shape or dtype; all in one error.
    """
    scope = _require_bert(bundle)
    found = {
        name.removeprefix(scope): TensorSpec(name=name, shape=entry.shape, dtype=entry.dtype)
        for name, entry in sorted(bundle.variables.items(), key=lambda item: item[0].startswith(scope))
    }
    unused, unexpected = _variables.sort_unused(name for name in found if name not in variables)
    ignored, unexpected = split_ignored(unexpected, ignore_unused)
    expected = {name: row.spec for name, row in variables.items()}
    problems = compare(expected, found, unexpected=unexpected)
    if problems:
        _raise(problems, expected, found, bundle, config, scope)
    sorted_unused = {what: tuple(names) for what, names in unused.items()}
    return Comparison(scope=scope, unused=sorted_unused, ignored=tuple(ignored))


def _require_bert(bundle: TensorBundle) -> str:
    scopes = _variables.find_scope(bundle.variables)
    wanted = "a checkpoint of BERT by variable names"
    if len(scopes) == 1:
        if _variables.is_nezha(bundle.variables, scopes[0]):
            kind = _files.FileKind(
                name="NEZHA, or another BERT without absolute positions", hint="load it with a library for NEZHA"
            )
            raise _files.wrong_kind(bundle.index_path, kind, role="index", wanted=wanted, given=bundle.given)
        other = _variables.recognise(bundle.variables)
        if other is None or other[0] not in ("ALBERT", "ELECTRA"):
            return scopes[0]
    else:
        other = _variables.recognise(bundle.variables)
    if other is not None:
        kind = _files.FileKind(name=other[0], hint=other[1])
        raise _files.wrong_kind(bundle.index_path, kind, role="index", wanted=wanted, given=bundle.given)
    if scopes:
        names = f"{len(scopes)} BERT models under the scopes {', '.join(map(repr, scopes))}"
        kind = _files.FileKind(name=names, hint="save the one that you mean into a checkpoint of its own")
        raise _files.wrong_kind(bundle.index_path, kind, role="index", wanted=wanted, given=bundle.given)
    return ""


def _raise(
    problems: list[Problem],
    expected: Mapping[str, TensorSpec],
    found: Mapping[str, TensorSpec],
    bundle: TensorBundle,
    config: BertConfig,
    scope: str,
) -> NoReturn:
    message = f"the BERT checkpoint does not fit its config: {matched(problems, expected, 'variables')}"
    details = first_few([str(problem) for problem in problems], "error.report.problems")
    context = [("config", config.path)] + [("scope", scope)] * bool(scope)
    raise VariableMismatchError(
        message,
        report=LoadReport(model="BERT", given=str(bundle.given), scope=scope, problems=tuple(problems)),
        resolved=bundle.prefix,
        given=bundle.given,
        label="prefix",
        context=context,
        details=details,
        hints=_hints(problems, expected, found, config),
    )


def _hints(
    problems: list[Problem], expected: Mapping[str, TensorSpec], found: Mapping[str, TensorSpec], config: BertConfig
) -> list[str]:
    hints = _size_hints(expected, found)
    missing = [problem.name for problem in problems if problem.kind == "missing"]
    layers = {int(m[1]) for name in found if (m := re.match(r"bert/encoder/layer_(\d+)/", name))}
    n_layers = max(layers) + 1 if layers else 0
    if n_layers and n_layers != config.num_hidden_layers:
        hints.append(
            f"num_hidden_layers is {config.num_hidden_layers} in the config but {n_layers} in the checkpoint; "
            "take both files from one release"
        )
    elif any(problem.kind == "unexpected" for problem in problems):
        hints.append("what is unexpected on purpose can be named: ignore_unused=['bert/...']")
    if len(missing) == len(problems) and not any(name.startswith("bert/") for name in found):
        few = ", ".join(sorted(found)[:3])
        hints.append(f"nothing in the checkpoint is BERT's; its variables are {few}, ...")
    stored = {problem.found.dtype for problem in problems if problem.kind == "dtype" and problem.found}
    if stored:
        hints.append(
            f"the checkpoint stores {', '.join(sorted(stored))}; save it in float32, safeload converts nothing"
        )
    heads = [name for name in missing if name.startswith(("cls/", "bert/pooler/"))]
    if heads and len(heads) == len(missing):
        hints.append("the checkpoint was saved without the heads for training; load it with training=False")
    unnumbered = {_NUMBER.sub("", name) for name in found} - set(found)
    if any(name in unnumbered for name in missing):
        hints.append("names in the checkpoint carry a number (_1, _2): the graph was built twice when it was saved")
    return hints


def _size_hints(expected: Mapping[str, TensorSpec], found: Mapping[str, TensorSpec]) -> list[str]:
    """Return one hint for each config key whose size contradicts the checkpoint everywhere it occurs."""
    hints = []
    for key, (wanted, size) in size_claims(expected, found).items():
        if key == "type_vocab_size":
            hints.append(f"the checkpoint has {size} segments; keras-bert always builds {wanted}")
        else:
            hints.append(
                f"{key} is {wanted} in the config but {size} in the checkpoint; take both files from one release"
            )
    return hints
