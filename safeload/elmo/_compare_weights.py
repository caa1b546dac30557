"""Step 4 for ELMo: the datasets that a biLM reads against those that the weight file holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from safeload import _files
from safeload._compare import compare, matched, size_claims, split_ignored
from safeload.elmo import _datasets
from safeload.errors import VariableMismatchError, first_few
from safeload.report import LoadReport, Problem, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from safeload._formats.hdf5 import Hdf5File
    from safeload.elmo._options import ElmoOptions


class Comparison(NamedTuple):
    """What the comparison of a weight file that fits has found.

    Attributes:
        unused: Class -> datasets that this load does not need.
        ignored: Unexpected datasets that the caller chose to ignore.
    """

    unused: dict[str, tuple[str, ...]]
    ignored: tuple[str, ...]


def compare_weights(
    expected: Mapping[str, TensorSpec], file: Hdf5File, options: ElmoOptions, *, ignore_unused: Iterable[str]
) -> Comparison:
    """Compare names, shapes and dtypes.

    Raises:
        WrongFileKindError: The file is of a biLM of words, of computed embeddings, or Keras saved it.
        VariableMismatchError: Datasets are missing, unexpected, or of another shape or dtype; all in one error.
    """
    other = _datasets.recognise(file.datasets, file.groups)
    if other is not None:
        kind = _files.FileKind(name=other[0], hint=other[1])
        raise _files.wrong_kind(
            file.path, kind, role="weight", wanted="the weights of a biLM of characters", given=file.given
        )
    found = {name: dataset.spec for name, dataset in file.datasets.items()}
    unused, unexpected = _datasets.sort_unused(name for name in found if name not in expected)
    ignored, unexpected = split_ignored(unexpected, ignore_unused)
    problems = compare(expected, found, unexpected=unexpected)
    if problems:
        raise _mismatch(problems, expected, found, file, options)
    return Comparison(unused=unused, ignored=tuple(ignored))


def _mismatch(
    problems: list[Problem],
    expected: Mapping[str, TensorSpec],
    found: Mapping[str, TensorSpec],
    file: Hdf5File,
    options: ElmoOptions,
) -> VariableMismatchError:
    return VariableMismatchError(
        f"the ELMo weight file does not fit its options: {matched(problems, expected, 'datasets')}",
        report=LoadReport(model="ELMo", noun="datasets", given=str(file.given), problems=tuple(problems)),
        resolved=file.path,
        given=file.given,
        label="weight",
        context=[("options", options.path)],
        details=first_few([str(problem) for problem in problems], "error.report.problems"),
        hints=_hints(problems, expected, found, file, options),
    )


def _hints(
    problems: list[Problem],
    expected: Mapping[str, TensorSpec],
    found: Mapping[str, TensorSpec],
    file: Hdf5File,
    options: ElmoOptions,
) -> list[str]:
    missing = [problem.name for problem in problems if problem.kind == "missing"]
    hints = []
    if not any(name.split("/", 1)[0] in {"CNN", "CNN_proj", "RNN_0", "RNN_1", "char_embed"} for name in file.datasets):
        few = ", ".join(sorted(file.datasets)[:3]) or "none"
        return [f"nothing in the file is a biLM's; its datasets are {few}"]
    for key, (wanted, size) in size_claims(expected, found).items():
        hints.append(_size_hint(key, wanted, size))
    for key, wanted, pattern in (
        ("lstm.n_layers", options.n_layers, r"RNN_\d+/RNN/MultiRNNCell/Cell(\d+)/"),
        ("char_cnn.n_highway", options.n_highway, r"CNN_high_(\d+)/"),
        ("the number of char_cnn.filters", len(options.filters), r"CNN/W_cnn_(\d+)$"),
    ):
        n_found = _datasets.count_numbered(file.datasets, pattern)
        if n_found != wanted and (n_found or "filters" not in key):
            hints.append(
                f"{key} is {wanted} in the options but {n_found} in the file; take both files from one release"
            )
    if not any(name.endswith("/W_P_0") for name in found):
        same = options.dim == options.projection_dim
        hints.append(
            "W_P_0 is missing: the biLM was trained without projections"
            + (", since dim equals projection_dim" if same else "")
            + "; an ELMo needs them, train it with dim larger than projection_dim"
        )
    if any(name.startswith("CNN_proj/") for name in missing) and options.n_filters == options.projection_dim:
        hints.append(
            "CNN_proj is missing: the filters sum to projection_dim, for which bilm-tf trains no projection; ELMo needs it"
        )
    groups = [name for name in missing if name in file.groups]
    hints += [f"{name} is a group in the file, not a dataset" for name in groups[:1]]
    stored = sorted({problem.found.dtype for problem in problems if problem.kind == "dtype" and problem.found})
    if stored:
        hints.append(f"the file stores {', '.join(stored)}; save it in float32, safeload converts nothing")
    return hints


def _size_hint(key: str, wanted: int, size: int) -> str:
    if key == "char_cnn.n_characters - 1":
        return (
            f"char_embed has {size} rows where a biLM of bytes has {wanted}: it was not trained with n_characters {wanted}, "
            "so its character ids are not those of AllenNLP and safeload.character_ids"
        )
    return f"{key} is {wanted} in the options but {size} in the file; take both files from one release"
