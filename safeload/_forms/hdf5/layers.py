"""Write the weights of Keras's layers to an open HDF5 file: by layer, as `.h5` files have them, or by place, as `.weights.h5`.

Source:
    keras/src/saving/legacy/hdf5_format.py, save_weights_to_hdf5_group and save_attributes_to_hdf5_group, Keras 2.15;
    keras/src/saving/saving_lib.py, H5IOStore, Keras 3.15.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from safeload._forms.byte_order import little

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

N_ATTRIBUTE_BYTES = 64_512
"""The space that HDF5 has for an attribute; Keras cuts longer lists in pieces."""


def put_layers(file: Any, names: Iterable[str], tensors: Iterable[tuple[str, NDArray[Any]]]) -> None:  # noqa: ANN401  (an h5py file)
    """Write the weights of layers, which are the first parts of their names.

    Args:
        file: The open file.
        names: All names, in the order of the model.
        tensors: Name and values of each, in any order.

    Raises:
        OSError: The system cannot write.
    """
    layers: dict[str, list[bytes]] = {}
    for name in names:
        layer, _, weight = name.partition("/")
        layers.setdefault(layer, []).append(weight.encode())
    put_list(file, "layer_names", [layer.encode() for layer in layers])
    file.attrs["backend"] = b"tensorflow"
    file.attrs["keras_version"] = b"2.15.0"
    for name, values in tensors:
        file[name] = little(values)
    for layer, weights in layers.items():
        put_list(file[layer], "weight_names", weights)


def put_list(group: Any, attribute: str, values: list[bytes]) -> None:  # noqa: ANN401  (an h5py group)
    """Write a list of texts, in pieces where it is long."""
    n_pieces = 1
    array = np.asarray(values)
    while any(piece.nbytes > N_ATTRIBUTE_BYTES for piece in np.array_split(array, n_pieces)):
        n_pieces += 1
    if n_pieces == 1:
        group.attrs[attribute] = array
    else:
        for number, piece in enumerate(np.array_split(array, n_pieces)):
            group.attrs[f"{attribute}{number}"] = piece


def put_numbered(file: Any, tensors: Iterable[tuple[str, NDArray[Any]]], labels: Mapping[str, str]) -> None:  # noqa: ANN401
    """Write weights by the place of their layers.

    Args:
        file: The open file.
        tensors: Name and values of each.
        labels: Group -> the name of its layer.

    Raises:
        OSError: The system cannot write.
    """
    for name, values in tensors:
        file[name] = little(values)
    for group, label in labels.items():
        file.require_group(group).attrs["name"] = label
