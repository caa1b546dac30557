"""Read an open `.keras` file in place: no class that its config names is looked up, and nothing in it is run.

Source:
    keras/src/saving/saving_lib.py, _save_model_to_fileobj and _save_container_state, Keras 3.15, Keras 2.15 and tf-keras 2.21.
"""

from __future__ import annotations

import re
from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING

from safeload._bytes import absent
from safeload._bytes.archives.reading import StoredFile
from safeload._bytes.archives.zips import list_zip
from safeload._bytes.kinds import UNKNOWN, kind_of_open, wrong_kind
from safeload._bytes.small import open_file
from safeload._forms.hdf5.file import Hdf5File
from safeload._json import MAX_JSON_BYTES, json_object
from safeload.errors import CorruptFileError, UnsafeFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from safeload._bytes.archives.members import Member
    from safeload._bytes.files import FileRef
    from safeload._bytes.open_file import OpenFile

WEIGHTS, CONFIG = "model.weights.h5", "config.json"
_SAVE_AGAIN = ["save the model again with Keras"]


class KerasFile(Hdf5File):
    """An open `.keras` file; its datasets are those of the HDF5 file in it.

    Raises:
        ConfigError: The config in it is no JSON object.
        UnsafeFileError, CorruptFileError: As `Hdf5File` and `list_zip`; or a CRC-32 does not match.
    """

    summary = "a model saved by Keras"
    _config: bytes = b""
    _layers: Mapping[str, str] = MappingProxyType({})

    def checksums(self, n_read: int) -> str:  # noqa: ARG002  (the CRC-32 is that of the whole member)
        """State that the archive has a CRC-32 of the weights."""
        return f"the CRC-32 of {WEIGHTS} and {CONFIG} in the zip archive; HDF5 stores none of its own"

    def note(self, group: str, name: str) -> str | None:
        """Return the text of an attribute, the config, or the name that the config has for a layer."""
        if (group, name) == ("", "model_config"):
            return self._config.decode("utf-8") or None
        found = super().note(group, name)
        return self._layers.get(group) if found is None and name == "name" else found

    def prove(self) -> None:
        """Compare the weights with their CRC-32 in the archive, and what the file itself is in with its own.

        Raises:
            CorruptFileError: They differ.
            FileSystemError: The system cannot read.
        """
        super().prove()
        try:
            self._file.prove()
        except OSError as exc:
            raise absent.failed(self.ref.at(self.ref.path, WEIGHTS), exc) from exc

    def _opened(self, ref: FileRef) -> OpenFile:
        """Open the weights in the archive, and read its config."""
        file = open_file(ref)
        try:
            return self._member(file, ref)
        except OSError as exc:
            file.close()
            raise absent.failed(ref, exc) from exc
        except BaseException:
            file.close()
            raise

    def _member(self, file: OpenFile, ref: FileRef) -> OpenFile:
        kind = kind_of_open(file)
        if kind is None or kind.id != "keras":
            raise wrong_kind(ref, kind or UNKNOWN, wanted="a model saved by Keras")
        members = _members(file, ref)
        if WEIGHTS not in members:
            message = f"the Keras file has no {WEIGHTS}"
            raise CorruptFileError(message, **ref.facts, hints=_SAVE_AGAIN)
        config = members.get(CONFIG)
        if config is not None:
            if config.n_bytes > MAX_JSON_BYTES:
                message = f"the {CONFIG} in the Keras file has {config.n_bytes:,} bytes; no config needs more than {MAX_JSON_BYTES:,}"
                raise UnsafeFileError(message, **ref.facts)
            stored = StoredFile(file, ref.path, config)
            self._config = stored.read(config.n_bytes)
            stored.prove()
            self._layers = dict(_numbered(json_object(self._config, ref.at(ref.path, CONFIG))))
        return StoredFile(file, ref.path, members[WEIGHTS])


def _members(file: OpenFile, ref: FileRef) -> dict[str, Member]:
    """Return the members that are read, by name; they are stored, and no two have one name."""
    listed, _ = list_zip(file, ref)
    found: dict[str, Member] = {}
    for member in listed:
        if member.name in found:
            raise UnsafeFileError(f"the Keras file has two members {member.name}", **ref.facts, hints=_SAVE_AGAIN)
        if member.name in (WEIGHTS, CONFIG):
            if member.n_stored is not None:
                message = f"{member.name} in the Keras file is compressed, which Keras never does"
                raise UnsafeFileError(message, **ref.facts, hints=_SAVE_AGAIN)
            found[member.name] = member
    return found


def _numbered(config: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the group that Keras numbers for each layer of a model and of the models in it, by its class, and the layer's name."""
    pending: list[tuple[str, object]] = [("layers/", config)]
    while pending:
        prefix, model = pending.pop()
        seen: Counter[str] = Counter()
        for layer in _layers_of(model):
            settings, class_name = layer.get("config"), layer.get("class_name")
            if isinstance(class_name, str):
                word = _snake(class_name)
                number, seen[word] = seen[word], seen[word] + 1
                group = f"{prefix}{word}{f'_{number}' if number else ''}"
                pending.append((f"{group}/layers/", layer))
                name = settings.get("name") if isinstance(settings, dict) else None
                if isinstance(name, str):
                    yield f"{group}/vars", name


def _layers_of(model: object) -> list[dict[str, Any]]:
    """Return the layers in the config of a model; none of another layer."""
    settings = model.get("config") if isinstance(model, dict) else None
    layers = settings.get("layers") if isinstance(settings, dict) else None
    return [layer for layer in layers if isinstance(layer, dict)] if isinstance(layers, list) else []


def _snake(name: str) -> str:
    """Return the name of a class in lower case, its words joined by underscores."""
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()
