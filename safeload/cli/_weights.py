"""Open weights of any form to inspect them, with the tensors sorted by layer."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from safeload import _recognise
from safeload._advice import add_advice, models_in
from safeload._bytes.archives.locating import given_ref, located
from safeload._bytes.kinds import CHECKPOINT
from safeload._forms import open_weights
from safeload._forms.finding import find_weights
from safeload._text.words import with_article
from safeload.bert._choice import preference_in
from safeload.cli._console import bytes_text
from safeload.cli._receiving import receiving
from safeload.elmo import _places as elmo_places
from safeload.errors import SafeLoadError

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef
    from safeload._forms.weight_file import WeightFile, WeightPlace
    from safeload.report import FileRead, TensorSpec

N_OF_ONE = 2
"""The files of a checkpoint whose values are in one: it, and the index."""

_NUMERALS = tuple("0123456789")
_DIGITS = re.compile(r"([0-9]+)")


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """One tensor of a weight file.

    Attributes:
        spec: Name, shape and dtype.
        layer: The layer that it belongs to, derived from the name.
        n_bytes: Size in the file.
    """

    spec: TensorSpec
    layer: str
    n_bytes: int

    @property
    def inner_name(self) -> str:
        """The name without the layer."""
        return self.spec.name.removeprefix(self.layer).lstrip("/.") or self.spec.name


@dataclass(frozen=True, kw_only=True)
class Weights:
    """An open weight file.

    Attributes:
        file: The file.
        what: Description of the file.
        tensors: Name -> tensor, sorted by layer.
    """

    file: WeightFile
    what: str
    tensors: dict[str, Tensor]

    def files(self) -> list[FileRead]:
        """Return the files with their sizes; of a model in several, first the index that lists them.

        Raises:
            OSError: A file is not there any more.
        """
        return [self.file.ref.source.file_read(role, path) for role, path in self.file.files()]

    def files_text(self) -> list[str]:
        """Return the size and name of each file, where the values are in several; else none.

        Raises:
            OSError: As `files`.
        """
        files = self.files()
        shown = [f"{bytes_text(file.n_bytes)}  {os.path.basename(file.path)}" for file in files]
        return shown if len(files) > N_OF_ONE else []

    def close(self) -> None:
        """Close the files."""
        self.file.close()


def open_given(given: str) -> Weights:
    """Open a weight file or checkpoint, by any form of its path or by its folder.

    Raises:
        SafeLoadError: As `find_weights` and `open_weights`.
    """
    with receiving():
        ref = located(given_ref(given, "path", "checkpoint"))
        place = _place_of(ref)
        file = open_weights(place)
    what = f"{file.summary}, given as {with_article(place.place)}" if place.form == CHECKPOINT else file.summary
    tensors = [
        Tensor(spec=each.spec, layer=layer_of(name), n_bytes=each.n_bytes) for name, each in file.tensors.items()
    ]
    tensors.sort(key=lambda tensor: (_natural(tensor.layer), _natural(tensor.spec.name)))
    return Weights(file=file, what=what, tensors={tensor.spec.name: tensor for tensor in tensors})


def _place_of(ref: FileRef) -> WeightPlace:
    models = models_in(ref) if ref.is_dir() else []
    if models == [_recognise.ELMO]:
        return elmo_places.find_weights(ref)
    try:
        return find_weights(ref, None, lambda: preference_in(ref))
    except SafeLoadError as error:
        add_advice(error, ref, models[0] if models else _recognise.BERT)
        raise


def layer_of(name: str) -> str:
    """Return a tensor's layer: its path up to the last numbered part, or else the first two parts."""
    separator = "/" if "/" in name else "."
    parts = name.split(separator)
    last = next((at for at in range(len(parts) - 2, -1, -1) if _is_numbered(parts[at], separator)), None)
    if last is not None:
        return separator.join(parts[: last + 1])
    return separator.join(parts[: min(2, max(1, len(parts) - 1))])


def _is_numbered(part: str, separator: str) -> bool:
    """Return whether a part is `layer_0` or, in PyTorch's names, `0`."""
    return part[-1:] in _NUMERALS and (part[:1] not in _NUMERALS or separator == ".")


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key that puts `layer_2` before `layer_10`, and takes digits of any number and script."""
    parts = _DIGITS.split(name)
    parts[1::2] = [digits.lstrip("0") for digits in parts[1::2]]
    return [(len(part), part) if at % 2 else (-1, part) for at, part in enumerate(parts)]
