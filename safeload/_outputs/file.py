"""Read and write files of expected outputs."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

from safeload._arguments import is_number
from safeload._bytes.archives.locating import given_ref
from safeload._bytes.kinds import FileKind, wrong_kind
from safeload._bytes.writing import atomic_write
from safeload._json import json_type, read_json_object, shown
from safeload._outputs.subject import Outputs
from safeload._outputs.tables import N_PROJECTIONS
from safeload._outputs.vocabulary import Vocabulary
from safeload._text.words import counted
from safeload.errors import ArgumentError, ConfigError
from safeload.report import KeyProblem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from safeload._bytes.files import FileRef

SCHEMA = "safeload-expected-outputs/1"
ROLE = "outputs"
MAX_VECTORS = 4_096
"""Vectors of a layer, and ids or words of the inputs."""

MAX_LAYERS = 2_100
_LARGEST_FLOAT32 = 3.4028235e38
_KEYS = {"schema": str, "model": str, "inputs": dict, "settings": dict, "layers": dict, "made_with": dict}
_SHA256 = re.compile(r"[0-9a-f]{64}")


def outputs_ref(given: object, argument: str, base_dir: object = None) -> FileRef:
    """Return a reference to a file of expected outputs, which may be at an address.

    Raises:
        InvalidPathError: The path is invalid.
    """
    return given_ref(given, argument, ROLE, base_dir=base_dir)


def write_outputs(outputs: Outputs, ref: FileRef, *, overwrite: bool) -> None:
    """Write the file; if that fails, the one before is left as it is.

    Raises:
        ArgumentError: There is a file, and `overwrite` is false.
        MissingFileError, WrongFileKindError, UnreadableFileError, FileSystemError: As `atomic_write`.
    """
    if os.path.lexists(ref.path) and not overwrite:
        message = "there is a file at this path already"
        hints = ["pass overwrite=True to replace it", "or save to another path"]
        raise ArgumentError(message, argument="overwrite", hints=hints, **ref.facts)
    with atomic_write(ref.path, role=ROLE) as file:
        file.write(outputs_text(outputs).encode("ascii"))


def outputs_text(outputs: Outputs) -> str:
    """Format outputs as JSON, with one line for each row of numbers."""
    kept = outputs.vocabulary
    head = {
        "schema": SCHEMA,
        "model": outputs.model,
        "made_with": {"runtime": outputs.runtime, "versions": dict(outputs.versions)},
        "settings": dict(outputs.settings),
        "vocabulary": kept
        and {**kept._asdict(), "tokens": {str(number): each for number, each in kept.tokens.items()}},
    }
    inputs = {name: [json.dumps(row) for row in rows] for name, rows in outputs.inputs.items()}
    layers = {name: [json.dumps(_decimals(row)) for row in rows] for name, rows in outputs.layers.items()}
    return "".join([json.dumps(head, indent=1)[:-2], *_rows("inputs", inputs), *_rows("layers", layers), "\n}\n"])


def _decimals(row: Any) -> list[float]:  # noqa: ANN401  (float32 values)
    """Return the shortest decimals that are these float32 values."""
    return [float(str(value)) for value in row]


def _rows(key: str, tables: Mapping[str, list[str]]) -> Iterator[str]:
    texts = (f"  {json.dumps(name)}: [\n   " + ",\n   ".join(rows) + "\n  ]" for name, rows in tables.items())
    yield f',\n "{key}": {{\n' + ",\n".join(texts) + "\n }"


def read_outputs(ref: FileRef, model: str) -> Outputs:
    """Read a file of expected outputs.

    Args:
        ref: The file.
        model: "BERT" or "ELMo": the model that they must be of.

    Raises:
        ConfigError: The file is not JSON, or has missing or invalid keys; one error lists all of them.
        WrongFileKindError: It is of another kind, or of another model.
        MissingFileError, UnreadableFileError, UnsafeFileError, FileSystemError: As `read_small`.
    """
    raw = read_json_object(ref)
    problems = [
        KeyProblem(
            key=key, problem=f"expected {_word(kind)}, found {shown(raw[key])[:60]}" if key in raw else "missing"
        )
        for key, kind in _KEYS.items()
        if not isinstance(raw.get(key), kind)
    ]
    if not problems and raw["schema"] != SCHEMA:
        problems = [KeyProblem(key="schema", problem=f"expected {SCHEMA}, found {shown(raw['schema'])}")]
    if not problems and raw["model"] != model:
        kind = FileKind(
            "outputs", f"those of another model, {shown(raw['model'])}", f"pass a file that was saved from this {model}"
        )
        raise wrong_kind(ref, kind, wanted=f"expected outputs of the {model}")
    if not problems:
        problems = [*_input_problems(raw["inputs"]), *_layer_problems(raw["layers"]), *_other_problems(raw)]
    if problems:
        raise bad_keys(problems, ref)
    return _outputs_of(raw)


def bad_keys(problems: Sequence[KeyProblem], ref: FileRef) -> ConfigError:
    """Return the error for a file with missing or invalid keys."""
    return ConfigError(
        f"the expected outputs cannot be used: {counted(len(problems), 'bad key')}",
        problems=problems,
        details=[str(problem) for problem in problems],
        hints=["write the file again with: safeload outputs FOLDER --save FILE"],
        **ref.facts,
    )


def _word(kind: type) -> str:
    return json_type(kind())


def _outputs_of(raw: Mapping[str, Any]) -> Outputs:
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    kept, made = raw.get("vocabulary"), raw["made_with"]
    tokens = {int(number): token for number, token in kept["tokens"].items()} if kept else {}
    return Outputs(
        model=raw["model"],
        inputs=raw["inputs"],
        settings=raw["settings"],
        vocabulary=Vocabulary(kept["n_tokens"], kept["sha256"], tokens) if kept else None,
        layers={name: np.asarray(rows, np.float32) for name, rows in raw["layers"].items()},
        runtime=str(made.get("runtime")),
        versions={str(name): str(version) for name, version in made["versions"].items()},
    )


def _input_problems(inputs: Mapping[str, Any]) -> Iterator[KeyProblem]:
    """Yield what is wrong with the inputs; whether a model takes them, its own module says."""
    for name, rows in inputs.items():
        is_table = isinstance(rows, list) and rows and all(isinstance(row, list) and row for row in rows)
        if not is_table or sum(map(len, rows)) > MAX_VECTORS:
            yield KeyProblem(key=f"inputs.{name}", problem=f"expected rows of at most {MAX_VECTORS:,} ids or words")


def _layer_problems(layers: Mapping[str, Any]) -> Iterator[KeyProblem]:
    if not 0 < len(layers) <= MAX_LAYERS:
        yield KeyProblem(key="layers", problem=f"expected 1 to {MAX_LAYERS:,} layers, found {len(layers):,}")
        return
    for name, rows in layers.items():
        if not (isinstance(rows, list) and 0 < len(rows) <= MAX_VECTORS and all(map(_is_row, rows))):
            problem = f"expected 1 to {MAX_VECTORS:,} rows of {N_PROJECTIONS} finite float32 numbers"
            yield KeyProblem(key=f"layers.{name}", problem=problem)


def _is_row(row: object) -> bool:
    return isinstance(row, list) and len(row) == N_PROJECTIONS and all(map(_is_float32, row))


def _is_float32(value: object) -> bool:
    return is_number(value) and abs(value) <= _LARGEST_FLOAT32


def _other_problems(raw: Mapping[str, Any]) -> Iterator[KeyProblem]:
    kept, made = raw.get("vocabulary"), raw["made_with"]
    if not isinstance(made.get("versions"), dict):
        yield KeyProblem(key="made_with.versions", problem="expected an object")
    if not all(isinstance(value, (str, int, float)) or value is None for value in raw["settings"].values()):
        yield KeyProblem(key="settings", problem="expected texts and numbers")
    if kept is not None and not _is_vocabulary(kept):
        yield KeyProblem(key="vocabulary", problem="expected null, or n_tokens, sha256 and tokens")


def _is_vocabulary(kept: object) -> bool:
    if not isinstance(kept, dict) or set(kept) != {"n_tokens", "sha256", "tokens"}:
        return False
    tokens, sha256 = kept["tokens"], kept["sha256"]
    if not (isinstance(kept["n_tokens"], int) and isinstance(sha256, str) and _SHA256.fullmatch(sha256)):
        return False
    is_object = isinstance(tokens, dict) and len(tokens) <= MAX_VECTORS
    return is_object and all(re.fullmatch(r"[0-9]{1,9}", key) and isinstance(each, str) for key, each in tokens.items())
