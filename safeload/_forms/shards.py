"""Read the index of a model in several files, which says in which file each tensor is.

The index of a TensorFlow model of transformers has the name of the model before each tensor's, which its files do not have.
That of Keras lists groups, and the files of each.

Source:
    huggingface_hub/serialization/_base.py, StateDictSplit; transformers/modeling_utils.py, transformers 4.49 and 5.24;
    transformers/modeling_tf_utils.py, tf_shard_checkpoint and save_pretrained, transformers 4.49;
    keras/src/saving/saving_lib.py, ShardedH5IOStore, Keras 3.15.
"""

from __future__ import annotations

import math
import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._bytes import absent
from safeload._bytes.addresses import joined
from safeload._bytes.names import as_spelled
from safeload._bytes.usual_names import is_usual
from safeload._json import read_json_object
from safeload._text.words import counted, one_line, some_of
from safeload.errors import ConfigError, CorruptFileError, MissingFileError, UnsafeFileError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from safeload._bytes.files import FileRef
    from safeload._forms.weight_file import StoredTensor

MAX_FILES = 10_000
"""The number of files that an index may name."""

_NAMES = (
    (re.compile(r"(?s)(.*)-[0-9]{5}-of-[0-9]{5}(\.[^.]+)"), r"\1\2.index.json"),
    (re.compile(r"(?s)(.*)\.([^.]+)-[0-9]{5}-of-[0-9]{5}(\.[^.]+)"), r"\1\3.index.\2.json"),
    (re.compile(r"(?s)(.*)_[0-9]{5}\.weights\.h5"), r"\1.weights.json"),
)
"""The name of a shard, and that of its index; the second is of a variant, as transformers names it."""

_OF_ALL = re.compile(r"(?s)(.*)-[0-9]{5}-of-([0-9]{5})\.[^.]+")
_ALONE = "-00001-of-00001."
"""What is in the name of a shard that is the whole model."""

_OF_ONE_MODEL = ("use the index and the shards of the same model",)
_PUBLISHED = ("take the index from where the model was published",)


class ShardIndex(NamedTuple):
    """A verified index.

    Attributes:
        ref: The index file.
        refs: The shards, sorted by name.
        names: The names of the tensors of each, or of their groups.
        total_size: The number of bytes of all tensors, if the index says it.
        lists_groups: Whether the names are those of groups, with a slash before each.
        model: The prefix of all names, which may be left out in the shards.
    """

    ref: FileRef
    refs: list[FileRef]
    names: list[set[str]]
    total_size: int | None
    lists_groups: bool = False
    model: str = ""

    def require_there(self) -> None:
        """Require that every shard is there.

        Raises:
            MissingFileError: One is not; the error lists all of them.
            UnreadableFileError, FileSystemError: The system cannot tell.
        """
        lost = [ref for ref in self.refs if not _is_there(ref)]
        if not lost:
            return
        names = tuple(os.path.basename(ref.path) for ref in lost)
        facts = absent.missing_facts(lost[0], names)
        facts["context"] = [("index", self.ref.path), *facts["context"]]
        facts["hints"] = ["copy or download the missing shards too, from where the index is from"]
        message = f"{some_of(len(lost), len(self.refs), 'shard')} missing: {absent.names_text(list(names))}"
        raise MissingFileError(message, **facts)

    def require_listed(self, number: int, names: Collection[str]) -> None:
        """Require that a shard holds exactly the tensors, or groups of tensors, that the index expects in it.

        Raises:
            CorruptFileError: It holds others.
        """
        wanted, noun = self.names[number], "group" if self.lists_groups else "tensor"
        if self.model and wanted.isdisjoint(names):
            wanted = {name.removeprefix(self.model) for name in wanted}
        lost, extra = sorted(wanted - set(names)), sorted(set(names) - wanted)
        if not lost and not extra:
            return
        what = f"{some_of(len(lost), len(wanted), noun)} missing" if lost else ""
        if extra:
            what = f"{what}, " * bool(what) + f"{counted(len(extra), noun)} that it lists elsewhere or not at all"
        rows = [f"LOST       {one_line(name)}" for name in lost] + [f"UNLISTED   {one_line(name)}" for name in extra]
        raise CorruptFileError(
            f"a shard does not hold what its index says: {what}",
            **self.refs[number].facts,
            variables=[*lost, *extra],
            context=[("index", self.ref.path)],
            details=rows,
            hints=_OF_ONE_MODEL,
        )

    def require_all(self, tensors: Mapping[str, StoredTensor], *, n_repeated: int = 0) -> None:
        """Require the total size that the index says; `n_repeated` bytes, of tensors that share others', may be left out.

        Raises:
            CorruptFileError: It is another.
        """
        found = sum(tensor.n_bytes for tensor in tensors.values())
        if self.total_size not in (None, found, found - n_repeated):
            message = f"the index says that all tensors have {self.total_size:,} bytes, but they have {found:,}"
            raise CorruptFileError(message, **self.ref.facts, hints=_OF_ONE_MODEL)

    def repeated(self, name: str) -> CorruptFileError:
        """Return the error for a tensor that two shards hold."""
        message = f"two shards hold a tensor of one name, {one_line(name)}"
        return CorruptFileError(message, **self.ref.facts, variables=[name], hints=_OF_ONE_MODEL)


def index_beside(ref: FileRef) -> FileRef | None:
    """Return the index beside a file that has the name of a shard, such as `model-00001-of-00002.safetensors`."""
    folder, name = os.path.split(ref.path)
    indexes = [ref.at(joined(folder, index)) for index in _index_names(name)]
    return next((index for index in indexes if index.is_file()), None)


def missing_index(folder: FileRef, names: Iterable[str]) -> MissingFileError | None:
    """Return the error for a folder with files that have the names of shards; None if none of these has.

    Raises:
        UnreadableFileError, FileSystemError: As `missing_facts`.
    """
    found = [name for name in names if _index_names(name) and _ALONE not in name]
    if not found:
        return None
    index = _index_names(found[0])[0]
    facts = absent.missing_facts(folder.at(joined(folder.path, index), "index"), (index,))
    facts["hints"] = [f"copy or download {index} too, from where the shards are from", *facts["hints"]]
    message = f"the folder has {counted(len(found), 'shard')} of a model, without the index that lists them: {index}"
    return MissingFileError(message, **facts)


def _index_names(name: str) -> list[str]:
    """Return the names that the index of a shard may have, usual ones first; none if the name is not that of a shard."""
    found = [match.expand(index) for shard, index in _NAMES if (match := shard.fullmatch(name))]
    return sorted(found, key=lambda index: not is_usual(index))


def first_shard(ref: FileRef) -> FileRef | None:
    """Return the first file that is there of those that an index names; None if the JSON file at the path is no index.

    Raises:
        UnsafeFileError: As `read_index`.
        MissingFileError, UnreadableFileError, FileSystemError: No file is there, as `ShardIndex.require_there`.
    """
    try:
        index = read_index(ref)
    except (ConfigError, CorruptFileError):
        return None
    first = next((shard for shard in index.refs if _is_there(shard)), None)
    if first is None:
        index.require_there()
    return first


def _is_there(ref: FileRef) -> bool:
    return ref.source.holds(ref.path) or ref.source.exists(ref.path)


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
        CorruptFileError: It is not the index of a model in several files, or its total size is no size.
        UnsafeFileError: It names a file outside its folder, or more files than any model has.
        MissingFileError, UnreadableFileError, FileSystemError: As `read_json_object`.
    """
    table = read_json_object(ref.at(ref.path, "index"))
    files_of = _files_of(table.get("weight_map"))
    if not files_of:
        message = "the JSON file is no index of shards: it has no weight_map from tensors to files"
        raise CorruptFileError(
            message, **ref.facts, hints=["pass the weight file, the index or the folder of the model"]
        )
    by_file: dict[str, set[str]] = {}
    for name, listed in files_of.items():
        for file in listed:
            by_file.setdefault(file, set()).add(name)
    files = sorted(by_file)
    outside = [name for name in files if os.path.basename(name) != name or name in ("", ".", "..") or "\\" in name]
    if outside:
        message = "the index names a file outside its folder"
        raise UnsafeFileError(message, **ref.facts, context=[("name", outside[0])], hints=_PUBLISHED)
    if len(files) > MAX_FILES:
        message = f"the index names {len(files):,} files; no model needs more than {MAX_FILES:,}"
        raise UnsafeFileError(message, **ref.facts, hints=_PUBLISHED)
    _require_whole(files, ref)
    folder = os.path.dirname(ref.path)
    return ShardIndex(
        ref.at(ref.path, "index"),
        [ref.at(as_spelled(joined(folder, name), ref.source, label="shard"), "shard") for name in files],
        [by_file[name] for name in files],
        _total_size(table.get("metadata"), ref),
        lists_groups=all(name.startswith("/") for name in files_of),
        model=_model_in(files_of),
    )


def _require_whole(files: Sequence[str], ref: FileRef) -> None:
    """Require as many shards as their names say that there are: `model-00001-of-00002.safetensors` is one of two.

    Raises:
        CorruptFileError: The index names fewer.
    """
    found = [(match[1], match[2]) for name in files if (match := _OF_ALL.fullmatch(name))]
    for stem, n_all in sorted(set(found)):
        n_named = found.count((stem, n_all))
        if n_named < int(n_all):
            message = f"the index names {n_named} of {int(n_all):,} files: {one_line(stem)}-...-of-{n_all}"
            raise CorruptFileError(message, **ref.facts, hints=[*_OF_ONE_MODEL, *_PUBLISHED])


def _files_of(weight_map: Any) -> dict[str, list[str]]:  # noqa: ANN401  (JSON)
    """Return name -> files; of a group, whose name begins with a slash, there may be several. Empty if it is no such map."""
    if not isinstance(weight_map, dict):
        return {}
    found = {name: files if isinstance(files, list) else [files] for name, files in weight_map.items()}
    is_map = all(
        files and all(isinstance(file, str) for file in files) and (len(files) == 1 or name.startswith("/"))
        for name, files in found.items()
    )
    return found if is_map else {}


def _model_in(names: Collection[str]) -> str:
    """Return what a TensorFlow model puts before the name of each tensor, such as `tf_bert_model/`; "" for other models."""
    first = next(iter(names)).partition("/")[0] + "/"
    return first if all(name.startswith(first) and name.endswith(":0") for name in names) else ""


def _total_size(metadata: Any, ref: FileRef) -> int | None:  # noqa: ANN401  (JSON)
    size = metadata.get("total_size") if isinstance(metadata, dict) else None
    if not isinstance(size, (int, float)) or isinstance(size, bool):
        return None
    if not math.isfinite(size):
        message = "the total size in the index of shards is not finite"
        raise CorruptFileError(message, **ref.facts, hints=_PUBLISHED)
    return int(size)
