"""Read the index of a model in several files, which says in which file each tensor is.

Source:
    huggingface_hub/serialization/_base.py, StateDictSplit; transformers/modeling_utils.py, transformers 4.49 and 5.24.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._json import read_json_object
from safeload._text.words import counted, one_line, some_of
from safeload.errors import ConfigError, CorruptFileError, UnsafeFileError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from safeload._bytes.files import FileRef
    from safeload._forms.weight_file import StoredTensor

MAX_FILES = 10_000
"""The number of files that an index may name."""


class ShardIndex(NamedTuple):
    """A verified index.

    Attributes:
        ref: The index file.
        refs: The shards, sorted by name.
        names: The names of the tensors of each.
        total_size: The number of bytes of all tensors, if the index says it.
    """

    ref: FileRef
    refs: list[FileRef]
    names: list[set[str]]
    total_size: int | None

    def require_listed(self, number: int, names: Collection[str]) -> None:
        """Require that a shard holds exactly the tensors that the index expects in it.

        Raises:
            CorruptFileError: It holds others.
        """
        wanted = self.names[number]
        lost, extra = sorted(wanted - set(names)), sorted(set(names) - wanted)
        if not lost and not extra:
            return
        what = f"{some_of(len(lost), len(wanted), 'tensor')} missing" if lost else ""
        if extra:
            what = f"{what}, " * bool(what) + f"{counted(len(extra), 'tensor')} that it lists elsewhere or not at all"
        rows = [f"LOST       {one_line(name)}" for name in lost] + [f"UNLISTED   {one_line(name)}" for name in extra]
        raise CorruptFileError(
            f"a shard does not hold what its index says: {what}",
            **self.refs[number].facts,
            variables=[*lost, *extra],
            context=[("index", self.ref.path)],
            details=rows,
            hints=["use the index and the shards of the same model"],
        )

    def require_all(self, tensors: Mapping[str, StoredTensor], *, n_repeated: int = 0) -> None:
        """Require the total size that the index says; `n_repeated` bytes, of tensors that share others', may be left out.

        Raises:
            CorruptFileError: It is another.
        """
        found = sum(tensor.n_bytes for tensor in tensors.values())
        if self.total_size not in (None, found, found - n_repeated):
            message = f"the index says that all tensors have {self.total_size:,} bytes, but they have {found:,}"
            hints = ["use the index and the shards of the same model"]
            raise CorruptFileError(message, **self.ref.facts, hints=hints)


def index_beside(ref: FileRef) -> FileRef | None:
    """Return the index beside a file that has the name of a shard, such as `model-00001-of-00002.safetensors`."""
    match = re.fullmatch(r"(?s)(.*)-[0-9]{5}-of-[0-9]{5}(\.[^./]+)", ref.path)
    path = f"{match[1]}{match[2]}.index.json" if match else ""
    return ref.at(path) if path and ref.source.is_file(path) else None


def first_shard(ref: FileRef) -> FileRef | None:
    """Return the first file that an index names; None if the JSON file at the path is no index.

    Raises:
        UnsafeFileError: As `read_index`.
    """
    try:
        return read_index(ref).refs[0]
    except (ConfigError, CorruptFileError):
        return None


def index_of(ref: FileRef) -> ShardIndex | None:
    """Read the index at a path; None if the place is a weight file.

    Raises:
        SafeLoadError: As `read_index`.
    """
    return read_index(ref) if ref.role == "index" else None


def read_index(ref: FileRef) -> ShardIndex:
    """Read and verify an index.

    Raises:
        ConfigError: The file is no JSON object.
        CorruptFileError: It is not the index of a model in several files.
        UnsafeFileError: It names a file outside its folder, or more files than any model has.
        MissingFileError, UnreadableFileError, FileSystemError: As `read_json_object`.
    """
    table = read_json_object(ref.at(ref.path, "index"))
    weight_map = table.get("weight_map")
    if (
        not isinstance(weight_map, dict)
        or not weight_map
        or not all(isinstance(each, str) for each in weight_map.values())
    ):
        message = "the JSON file is no index of shards: it has no weight_map from tensors to files"
        raise CorruptFileError(
            message, **ref.facts, hints=["pass the weight file, the index or the folder of the model"]
        )
    by_file: dict[str, set[str]] = {}
    for name, file in weight_map.items():
        by_file.setdefault(file, set()).add(name)
    files = sorted(by_file)
    outside = [name for name in files if os.path.basename(name) != name or name in ("", ".", "..") or "\\" in name]
    if outside:
        message = "the index names a file outside its folder"
        hints = ["take the index from where the model was published"]
        raise UnsafeFileError(message, **ref.facts, context=[("name", outside[0])], hints=hints)
    if len(files) > MAX_FILES:
        message = f"the index names {len(files):,} files; no model needs more than {MAX_FILES:,}"
        raise UnsafeFileError(message, **ref.facts, hints=["take the index from where the model was published"])
    folder = os.path.dirname(ref.path)
    refs = [ref.at(os.path.join(folder, name), "shard") for name in files]
    total_size = _total_size(table.get("metadata"))
    return ShardIndex(ref.at(ref.path, "index"), refs, [by_file[name] for name in files], total_size)


def _total_size(metadata: Any) -> int | None:  # noqa: ANN401  (JSON)
    size = metadata.get("total_size") if isinstance(metadata, dict) else None
    return int(size) if isinstance(size, (int, float)) and not isinstance(size, bool) else None
