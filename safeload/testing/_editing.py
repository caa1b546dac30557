"""Find the files of a model to break, and change the tensors of its weights."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py

from safeload._arguments import as_python, bad_argument, is_int, listed
from safeload._bytes.files import FileRef
from safeload._bytes.paths import resolve_path
from safeload._bytes.small import require_file
from safeload._bytes.writing import new_files
from safeload._forms import open_weights
from safeload._forms.finding import find_weights
from safeload._forms.hdf5.file import Hdf5File
from safeload._forms.tensorflow.bundle import TensorBundle
from safeload._forms.tensorflow.prefixes import find_checkpoint
from safeload._recognise import BERT
from safeload._text.words import reason_of
from safeload.bert._config import CONFIG_NAMES
from safeload.bert.namings import naming_of
from safeload.elmo._places import find_weights as find_elmo
from safeload.elmo.namings import namings_in
from safeload.errors import ArgumentError, CorruptFileError, SafeLoadError
from safeload.testing._allennlp import WEIGHTS_NAME as _STATE_DICT
from safeload.testing._bundle import valid_name, write_bundle
from safeload.testing._elmo_forms import ELMO_FORMS, OPTIONS_NAME, WEIGHTS_NAME
from safeload.testing._forms import FORMS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from numpy.typing import NDArray

    from safeload._bytes.paths import StrPath
    from safeload._forms.weight_file import WeightFile, WeightPlace
    from safeload.testing._elmo_forms import ElmoForm
    from safeload.testing._forms import Form


GOOGLES = FORMS["tensorflow"]


def is_elmo(folder: StrPath) -> bool:
    """Return whether a folder has a file of an ELMo."""
    return any((_folder(folder) / name).exists() for name in (OPTIONS_NAME, WEIGHTS_NAME, _STATE_DICT))


def has_hdf5(folder: StrPath) -> bool:
    """Return whether a folder has a file of an ELMo whose weights are no checkpoint or state dict; they may be missing."""
    path = _folder(folder)
    return is_elmo(folder) and not _has_checkpoint(path) and not (path / _STATE_DICT).exists()


def prefix_of(folder: StrPath) -> str:
    """Return the prefix of the checkpoint in a folder.

    Raises:
        SafeLoadError: As `find_checkpoint`.
    """
    return find_checkpoint(FileRef(path=str(_folder(folder)), role="checkpoint", given=folder)).ref.path


def file_ref(folder: StrPath, file: StrPath | None) -> FileRef:
    """Return a file of a model, by default the weights: the first data shard, or the HDF5 file.

    Raises:
        InvalidPathError: A name is not a path.
        MissingFileError, WrongFileKindError, UnsafeFileError, UnreadableFileError: As `require_file`.
    """
    path = _folder(folder)
    if file is None:
        file = WEIGHTS_NAME if has_hdf5(folder) else _first_file(path, folder)
    ref = FileRef(path=resolve_path(file, argument="file", base_dir=path), role="model", given=folder)
    require_file(ref)
    return ref


def config_ref(folder: StrPath) -> FileRef:
    """Return the options of an ELMo, or the config of a BERT under the name that its form gives it.

    Raises:
        SafeLoadError: As `file_ref`.
    """
    names = (OPTIONS_NAME,) if is_elmo(folder) else CONFIG_NAMES
    return file_ref(folder, next((name for name in names if (_folder(folder) / name).exists()), names[0]))


def file_of(folder: StrPath, file: StrPath | None) -> Path:
    """Return the path of a file of a model.

    Raises:
        SafeLoadError: As `file_ref`.
    """
    return Path(file_ref(folder, file).path)


def position(argument: str, value: object, n_bytes: int) -> int:
    """Return a position in a file.

    Raises:
        ArgumentError: It is not an integer, or not in the file.
    """
    number = as_python(value)
    if not is_int(number):
        raise bad_argument(argument, value, "an integer", ["the first byte is 0"])
    if not 0 <= number < n_bytes:
        message = f"{argument} is {number}, and the file has {n_bytes} bytes"
        raise ArgumentError(message, argument=argument, hints=[f"pass a number from 0 to {n_bytes - 1}"])
    return number


def place_in(folder: StrPath) -> WeightPlace:
    """Return the place of a model's weights in a folder.

    Raises:
        SafeLoadError: As `find_weights`.
    """
    ref = FileRef(path=str(_folder(folder)), role="checkpoint", given=folder)
    return find_elmo(ref) if is_elmo(folder) else find_weights(ref, BERT)


def form_of(place: WeightPlace, names: Collection[str]) -> Form | ElmoForm:
    """Return how weights with these names are written."""
    of_elmo = [row for row in ELMO_FORMS.values() for each in namings_in(names).values() if row.naming == each.id]
    if of_elmo:
        return of_elmo[0]
    rows = [row for key, row in FORMS.items() if key.partition("/")[0] == place.form]
    found = naming_of(names)
    return next((row for row in rows if found and row.naming == found[0].id), rows[0])


def _files_with_values(weights: WeightFile) -> list[str]:
    return [path for role, path in weights.files() if role in ("shard", "weight")]


def _first_file(path: Path, folder: StrPath) -> str:
    """Return the name of the first file with values in a folder.

    The weights may be damaged already, so that they are not opened.
    """
    shards = sorted(each.relative_to(path).as_posix() for each in path.rglob("*.data-00000-of-*"))
    return shards[0] if shards else os.path.basename(place_in(folder).ref.path)


def _has_checkpoint(path: Path) -> bool:
    return any(path.rglob("*.index")) or any(path.rglob("*.data-00000-of-*"))


def tensors_of(prefix: str) -> tuple[dict[str, NDArray[Any]], int]:
    """Return the tensors of a checkpoint, and its number of shards.

    Raises:
        SafeLoadError: As `TensorBundle`.
    """
    with TensorBundle(FileRef(path=prefix, role="prefix")) as bundle:
        return bundle.read(bundle.variables), bundle.n_shards


def edit_tensors(folder: StrPath, change: Callable[[dict[str, NDArray[Any]]], object]) -> None:
    """Change the tensors of a model: name -> values.

    Raises:
        SafeLoadError: The weights cannot be read or written.
    """
    if has_hdf5(folder):
        with edited_hdf5(folder) as (file, names):
            before = {name: file[name][()] for name in names}
            after = dict(before)
            change(after)
            for name, values in before.items():
                if after.get(name) is not values:
                    del file[name]
            for name, values in after.items():
                if before.get(name) is not values:
                    file[name] = values
        return
    place = place_in(folder)
    with open_weights(place) as weights:
        values = weights.read(weights.tensors)
        tensors = {name: values[name] for name in (*_names_listed(weights, values), *values)}
        form, shards = form_of(place, tensors), len(weights.files()) - 1
    change(tensors)
    path = _folder(folder)
    with new_files(path) as new:
        if form is GOOGLES:
            write_bundle(new / os.path.basename(place.ref.path), tensors, shards)
        else:
            form.write(new, tensors)


def _names_listed(weights: WeightFile, names: Collection[str]) -> list[str]:
    """Return the names of the tensors that Keras's layers list, in this order."""
    layers = weights.notes("", "layer_names") or ()
    listed = [f"{layer}/{name}" for layer in layers for name in weights.notes(layer, "weight_names") or ()]
    return [name for name in listed if name in names]


@contextmanager
def edited_hdf5(folder: StrPath) -> Iterator[tuple[h5py.File, list[str]]]:
    """Yield an ELMo's weight file, to be changed, and the names of its datasets.

    Raises:
        CorruptFileError: HDF5 cannot read or change it.
        SafeLoadError: As `Hdf5File` and `new_files`.
    """
    ref = file_ref(folder, WEIGHTS_NAME)
    with Hdf5File(ref) as weights:
        names = list(weights.datasets)
    path = Path(ref.path)
    with new_files(path.parent) as new:
        copy = Path(shutil.copyfile(path, new / path.name))
        try:
            with h5py.File(copy, "r+") as file:
                yield file, names
        except (OSError, RuntimeError) as exc:  # what HDF5 raises
            if isinstance(exc, (SafeLoadError, RecursionError)) or getattr(exc, "errno", None):
                raise
            message = f"the weight file cannot be changed: {reason_of(exc)}"
            raise CorruptFileError(message, **ref.facts) from exc


def require_known(name: object, tensors: Collection[str], argument: str = "name") -> str:
    """Return the name of a tensor of the weights.

    Raises:
        ArgumentError: It is not text, or there is no such tensor.
    """
    known = valid_name(name, argument)
    if known not in tensors:
        message = f"the weights have no {known!r}"
        raise ArgumentError(message, argument=argument, hints=[f"the first ones are {', '.join(list(tensors)[:3])}"])
    return known


def require_free(new: object, name: str, tensors: Collection[str], *, is_hdf5: bool) -> str:
    """Return a new name for a tensor of the weights.

    Raises:
        ArgumentError: Another tensor has the name, or one of an HDF5 file cannot have it.
    """
    free = valid_name(new, "new")
    others = [other for other in tensors if other != name]
    if free in others:
        raise bad_argument("new", new, "a name that no other tensor has", ["drop_variable removes the other"])
    if is_hdf5:
        parts = free.split("/")
        if "\0" in free or not {"", ".", ".."}.isdisjoint(parts):
            raise bad_argument("new", new, "a path of HDF5 without empty parts and dots", ["such as 'CNN_proj/W'"])
        if any(f"{other}/".startswith(f"{free}/") or free.startswith(f"{other}/") for other in others):
            raise bad_argument("new", new, "a name that is no group, nor below a dataset", ["pass another name"])
    return free


def place_of(folder: StrPath, variable: str) -> tuple[Path, int]:
    """Return the file with a variable's values, and the position of their middle byte.

    Raises:
        ArgumentError: There is no such variable, or its values are at no single place.
    """
    if has_hdf5(folder):
        ref = file_ref(folder, WEIGHTS_NAME)
        with Hdf5File(ref) as file:
            dataset = file.datasets[require_known(variable, file.datasets, "variable")]
            if dataset.offset is None:
                message = f"{variable!r} is stored in chunks or was never written: no single byte is its middle"
                raise ArgumentError(message, argument="variable", hints=["pass file= and byte= instead"])
            path, offset, n_bytes = Path(ref.path), dataset.offset, dataset.n_bytes
    else:
        with open_weights(place_in(folder)) as weights:
            known = require_known(variable, weights.tensors, "variable")
            number, offset = weights.position(known)
            path, n_bytes = Path(_files_with_values(weights)[number]), weights.tensors[known].n_bytes
    if not n_bytes:
        message = f"{variable!r} has no values: there is no bit to flip"
        raise ArgumentError(message, argument="variable", hints=["pass a variable that has values"])
    return path, offset + n_bytes // 2


def sizes_of(shape: object) -> tuple[int, ...]:
    """Return a shape.

    Raises:
        ArgumentError: It is not a list of integers from 0.
    """
    sizes = listed(shape)
    if sizes is None or not all(is_int(size) and size >= 0 for size in sizes):
        raise bad_argument("shape", shape, "a list of integers from 0", ["a scalar's shape is ()"])
    return tuple(filter(is_int, sizes))


def _folder(folder: StrPath) -> Path:
    return Path(resolve_path(folder, argument="folder"))
