"""Read the parameters of a biLM with h5py or TensorFlow, by nothing of safeload's readers and builders, to compare with them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._bytes.kinds import CHECKPOINT
from safeload._frameworks.tensorflow import require_tensorflow
from safeload.elmo._characters import N_CHARACTERS
from safeload.elmo._module import CHARACTERS, ENCODER, LSTMS
from safeload.elmo._parameters import CHAR_EMBED, DIRECTIONS, cell_of
from safeload.elmo.namings import NAMINGS, namings_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from safeload._diagnosis import AtFault
    from safeload.elmo._options import ElmoOptions

    Array = NDArray[Any]
    Read = Callable[[str], Array]
    Opened = tuple[list[str], Read]

HDF5 = "hdf5"


class Reader(NamedTuple):
    """The reader of another library.

    Attributes:
        party: The library.
        called: Its name in a sentence.
        open: Opens a weight file; gives the stored names, and a function that reads one.
    """

    party: AtFault
    called: str
    open: Callable[[str], AbstractContextManager[Opened]]


@contextmanager
def _open_hdf5(path: str) -> Iterator[Opened]:
    import h5py  # noqa: PLC0415  (not for `import safeload`)

    with h5py.File(path, "r") as file:
        names: list[str] = []
        file.visit(names.append)
        yield names, lambda name: file[name][...]


@contextmanager
def _open_checkpoint(prefix: str) -> Iterator[Opened]:
    reader = require_tensorflow().train.load_checkpoint(prefix)
    yield list(reader.get_variable_to_shape_map()), reader.get_tensor


READERS = {HDF5: Reader("h5py", "h5py", _open_hdf5), CHECKPOINT: Reader("tensorflow", "TensorFlow", _open_checkpoint)}
"""Form -> the reader of another library."""


def read_directly(reader: Reader, path: str, options: ElmoOptions, scope: str | None) -> dict[str, Array]:
    """Return AllenNLP's parameters as a weight file has them; without a scope, those of the first biLM."""
    with reader.open(path) as (names, read):
        found = namings_in(names)
        of_bilm = next(iter(found), "") if scope is None else scope
        naming = found.get(of_bilm, NAMINGS[0])
        return parameters_of(options, lambda name: read(naming.stored_as(name, of_bilm, names)[0]))


def parameters_of(options: ElmoOptions, read: Read) -> dict[str, Array]:
    """Return what the parameters of AllenNLP's biLM must be.

    Args:
        options: The sizes.
        read: Returns the values of a dataset by its canonical name.

    Source:
        allennlp/modules/elmo.py, _ElmoCharacterEncoder._load_weights; allennlp/modules/elmo_lstm.py,
        ElmoLstm.load_weights, AllenNLP 2.10.1.
    """
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    def dataset(name: str) -> Array:
        return np.asarray(read(name), np.float32)

    found = {CHARACTERS: np.pad(dataset(CHAR_EMBED)[1 - N_CHARACTERS :], ((1, 0), (0, 0)))}
    for index in range(len(options.filters)):
        found[f"{ENCODER}.char_conv_{index}.weight"] = dataset(f"CNN/W_cnn_{index}")[0].transpose(2, 1, 0)
        found[f"{ENCODER}.char_conv_{index}.bias"] = dataset(f"CNN/b_cnn_{index}")
    for layer in range(options.n_highway):
        for ours, theirs in (("weight", "W"), ("bias", "b")):
            new, kept = (dataset(f"CNN_high_{layer}/{theirs}_{part}") for part in ("transform", "carry"))
            found[f"{ENCODER}._highways._layers.{layer}.{ours}"] = np.concatenate([new, -kept], axis=-1).T
    found[f"{ENCODER}._projection.weight"] = dataset("CNN_proj/W_proj").T
    found[f"{ENCODER}._projection.bias"] = dataset("CNN_proj/b_proj")
    for direction, word in enumerate(DIRECTIONS):
        for layer in range(options.n_layers):
            cell, name = cell_of(direction, layer), f"{LSTMS}.{word}_layer_{layer}"
            kernel = _in_torch_order(*np.split(dataset(f"{cell}/W_0"), 4, axis=1))
            found[f"{name}.input_linearity.weight"] = kernel[:, : options.projection_dim]
            found[f"{name}.state_linearity.weight"] = kernel[:, options.projection_dim :]
            into, new, forget, out = np.split(dataset(f"{cell}/B"), 4)
            found[f"{name}.state_linearity.bias"] = _in_torch_order(into, new, forget + np.float32(1), out)
            found[f"{name}.state_projection.weight"] = dataset(f"{cell}/W_P_0").T
    return found


def _in_torch_order(into: Array, new: Array, forget: Array, out: Array) -> Array:
    """Return the values of the four gates, as TensorFlow orders them, in torch's order and layout."""
    import numpy as np  # noqa: PLC0415  (not for `import safeload`)

    gates: Array = np.concatenate([into, forget, new, out], axis=-1).T
    return gates
