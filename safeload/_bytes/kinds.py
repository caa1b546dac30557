"""Recognise file kinds by their first and last bytes, and zip files by the names of their members.

The first matching row of `KINDS` wins. The row of a supported weight format also names its module in `_forms`, its models and
its file extensions.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, NamedTuple

from safeload._bytes.archives.members import is_of_the_system
from safeload._bytes.files import FileRef
from safeload.errors import SafeLoadError, WrongFileKindError

if TYPE_CHECKING:
    from collections.abc import Callable

    from safeload._bytes.open_file import OpenFile

N_HEAD_BYTES = 1024
N_TAIL_BYTES = 22
MAX_SAFETENSORS_HEADER = 1 << 27
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
MAX_USER_BLOCK_BYTES = 1 << 20
"""What another program may write before an HDF5 file begins: 512 bytes, or twice as many, and so on."""

_HDF5_STARTS = tuple(1 << power for power in range(9, MAX_USER_BLOCK_BYTES.bit_length()))
MAX_ZIPPED = 110_000
"""The number of members of a zip file that is one file of weights, such as PyTorch's."""

ELMO = "ELMo"
_UNPACK = "unpack the archive and pass the folder or file inside it"
_IN_PLACE = "if the model is in it, pass the archive itself as the path; it is read in place"
_DOWNLOAD_AGAIN = "download the file again; something else was saved in its place"
_PICKLE = "safeload never unpickles a file; convert the weights with the library that saved them"
_TORCH = (
    "do not unpack it; a PyTorch file of a state dict is read as it is, by safeload.load_bert or safeload.load_elmo"
)
_TORCH_BEFORE_1_6 = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The number with which the older files of torch begin, in a pickle of any protocol from 2 on."""

_N_BEFORE_NUMBER = 11
_ZIP = b"PK\3\4"
_FIRST_OF_TORCH = ("data.pkl", ".format_version", "version")
"""The first member that torch writes; the first name is the oldest, and TorchScript may begin with the last."""

_WEIGHTS_OF_KERAS = "model.weights.h5"
_OF_KERAS = {"metadata.json", "config.json"}
_OF_KERAS_HUB = (b"keras_hub_version", b"keras_nlp_version")
KERAS_LOADS = (
    "load it with tf.keras.models.load_model; a BERT of keras-bert needs custom_objects=keras_bert.get_custom_objects()"
)
_KERAS = f"{KERAS_LOADS}, and tf-keras 2.16 or later"
_SAVE_AS_UTF8 = "save it as UTF-8"


class FileKind(NamedTuple):
    """A kind of file.

    Attributes:
        id: An identifier: "json", "hdf5", "html", ...
        name: The name in messages: "HDF5 file".
        hint: What to do if another kind was expected; may be "".
        form: The module in `_forms` that reads it; "" if none does.
        models: The models whose weights are stored in this kind of file; of the first are those whose name does not say it.
        endings: The file extensions to look for in a folder; none if other programs use them for files that are no weights.
        usual: The names of a BERT's files in a folder, which go before others with these extensions, the first before the
            second.
        has_config_of_transformers: Whether the config beside such a file, of any name, is `config.json` rather than
            `bert_config.json`.
    """

    id: str
    name: str
    hint: str = ""
    form: str = ""
    models: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()
    usual: tuple[str, ...] = ()
    has_config_of_transformers: bool = False


class Sample(NamedTuple):
    """What is seen of a file.

    Attributes:
        head: Its first `N_HEAD_BYTES`.
        tail: Its last `N_TAIL_BYTES`.
        members: The names of its members, if it is a zip with a good directory; else None.
    """

    head: bytes
    tail: bytes = b""
    members: tuple[str, ...] | None = None


def _begins(*starts: bytes) -> Callable[[Sample], bool]:
    return lambda sample: sample.head.startswith(starts)


def _text_begins(*starts: bytes) -> Callable[[Sample], bool]:
    return lambda sample: sample.head.removeprefix(b"\xef\xbb\xbf").lstrip()[:256].lower().startswith(starts)


def _is_safetensors(sample: Sample) -> bool:
    head = sample.head
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") < MAX_SAFETENSORS_HEADER


def _first_member(head: bytes) -> str:
    """Return the name of the first member of a zip archive; "" for another file."""
    n_name = int.from_bytes(head[26:28], "little")
    return head[30 : 30 + n_name].decode("latin-1") if head.startswith(_ZIP) else ""


def _is_torch(sample: Sample) -> bool:
    """Return whether it is a file of torch.save; a zip without a directory is one if its first member is one of torch's."""
    head, members = sample.head, sample.members
    if members is None:
        is_older = head.startswith(b"\x80") and 0 < head.find(_TORCH_BEFORE_1_6) <= _N_BEFORE_NUMBER
        return is_older or _first_member(head).rpartition("/")[2] in _FIRST_OF_TORCH
    roots = {name.partition("/")[0] for name in members if not is_of_the_system(name)}
    inner = {name.partition("/")[2] for name in members}
    return len(roots) == 1 and "data.pkl" in inner and bool(inner & {"version", ".data/version"})


def _is_keras(sample: Sample) -> bool:
    """Return whether it is a `.keras` file; a preset of KerasHub has the same names, and says so in its metadata."""
    if _first_member(sample.head) != "metadata.json" or any(word in sample.head for word in _OF_KERAS_HUB):
        return False
    members = {*(sample.members or ())}
    return _WEIGHTS_OF_KERAS in members or members <= _OF_KERAS


def is_tar_header(block: bytes) -> bool:
    """Return whether a block of 512 bytes has the checksum that each header in a tar has."""
    stored = block[148:156].strip(b"\0 ")
    if not stored or stored.strip(b"01234567"):
        return False
    return int(stored, 8) == sum(block[:148]) + 8 * ord(" ") + sum(block[156:512])


def _is_tar(sample: Sample) -> bool:
    return sample.head[257:262] == b"ustar" or is_tar_header(sample.head)


def _is_zip(sample: Sample) -> bool:
    return sample.head.startswith(_ZIP) or sample.tail.startswith(b"PK\5\6")


KINDS: tuple[tuple[FileKind, Callable[[Sample], bool]], ...] = (
    (FileKind("empty", "empty file", "copy or download the file again; the disk may have been full"),
     lambda sample: not sample.head),
    (FileKind("lfs", "Git LFS pointer", "run: git lfs install && git lfs pull, in the clone"),
     _begins(b"version https://git-lfs.github.com/spec/v1")),
    (FileKind("appledouble", "AppleDouble file, which macOS puts beside the real one", "pass the file of the same name without ._"),
     _begins(b"\x00\x05\x16\x07")),
    (FileKind("safetensors", "safetensors file", form="safetensors", models=("BERT",), endings=(".safetensors",),
              usual=("model.safetensors", "model.safetensors.index.json"), has_config_of_transformers=True), _is_safetensors),
    (FileKind("torch", "PyTorch file", _TORCH, form="torch", models=("BERT", ELMO), endings=(".bin", ".pt", ".pth", ".th"),
              usual=("pytorch_model.bin", "pytorch_model.bin.index.json"), has_config_of_transformers=True), _is_torch),
    (FileKind("keras", "model saved by Keras", _KERAS, form="keras", models=("BERT",), endings=(".keras",)), _is_keras),
    (FileKind("gzip", "gzip archive", _UNPACK), _begins(b"\x1f\x8b")),
    (FileKind("7z", "7z archive", _UNPACK), _begins(b"7z\xbc\xaf\x27\x1c")),
    (FileKind("zstd", "zstd archive", _UNPACK), _begins(b"\x28\xb5\x2f\xfd")),
    (FileKind("xz", "xz archive", _UNPACK), _begins(b"\xfd7zXZ")),
    (FileKind("bzip2", "bzip2 archive", _UNPACK), _begins(b"BZh")),
    (FileKind("hdf5", "HDF5 file", form="hdf5", models=(ELMO, "BERT"), endings=(".hdf5", ".h5", ".hdf"),
              usual=("tf_model.h5", "tf_model.h5.index.json", "model.weights.h5", "model.weights.json")), _begins(HDF5_SIGNATURE)),
    (FileKind("pickle", "pickle (PyTorch's older files are pickles too)", _PICKLE), _begins(b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")),
    (FileKind("npy", "NumPy array file"), _begins(b"\x93NUMPY")),
    (FileKind("pdf", "PDF document", _DOWNLOAD_AGAIN), _begins(b"%PDF")),
    (FileKind("utf32", "UTF-32 text", _SAVE_AS_UTF8), _begins(b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")),
    (FileKind("utf16", "UTF-16 text", _SAVE_AS_UTF8), _begins(b"\xff\xfe", b"\xfe\xff")),
    (FileKind("sstable", "TensorFlow index file or V1 checkpoint", form="tensorflow", models=("BERT", ELMO), endings=(".index",)),
     lambda sample: sample.tail[-8:] == bytes.fromhex("57fb808b247547db")),
    (FileKind("html", "HTML page", _DOWNLOAD_AGAIN), _text_begins(b"<!doctype html", b"<html")),
    (FileKind("xml", "XML error page of a server", _DOWNLOAD_AGAIN), _text_begins(b"<?xml", b"<error>")),
    (FileKind("tar", "tar archive", _IN_PLACE), _is_tar),
    (FileKind("zip", "zip archive (PyTorch saves such files too)", _IN_PLACE), _is_zip),
    (FileKind("sentencepiece", "SentencePiece model"), lambda sample: b"<unk>" in sample.head[:64] and b"\0" in sample.head[:64]),
    (FileKind("json", "JSON text"), _text_begins(b"{")),
    (FileKind("binary", "unrecognised binary file"), lambda sample: b"\0" in sample.head),
)  # fmt: skip

CHECKPOINT = "tensorflow"
"""The form of several files, which are found by their prefix."""

BY_ID = {kind.id: kind for kind, _ in KINDS}
_BY_HEAD = frozenset(itertools.takewhile(lambda name: name != "sstable", BY_ID))
"""The kinds that are recognised by a file's first bytes alone, because they come before those that are not."""

JSON_TEXT = BY_ID["json"].name
UNKNOWN = FileKind("unknown", "an unrecognised file")
NOT_THE_FILE = ("lfs", "html", "xml")
"""Kinds that a failed download or clone leaves in place of the real file."""


def kind_of(head: bytes, tail: bytes = b"", members: tuple[str, ...] | None = None) -> FileKind | None:
    """Recognise a file by its first `N_HEAD_BYTES`, last `N_TAIL_BYTES` and, of a zip, the names of its members.

    Returns None if no row matches.
    """
    sample = Sample(head, tail, members)
    kind = next((kind for kind, fits in KINDS if fits(sample)), None)
    if kind is not None and kind.id == "lfs":
        found = {key: re.search(rb"(?m)^" + key.encode() + rb" ([^\r\n]*)", head) for key in ("oid", "size")}
        oid, size = (match[1].decode("ascii", "replace") if match else "?" for match in found.values())
        return kind._replace(name=f"Git LFS pointer to {oid}, {size} bytes")
    return kind


def kind_of_data(data: bytes) -> FileKind | None:
    """Recognise a file by its complete contents."""
    return kind_of(data[:N_HEAD_BYTES], data[-N_TAIL_BYTES:])


def sniff(ref: FileRef) -> FileKind | None:
    """Recognise a regular file as it is now; None if no row matches or the system cannot read it."""
    if not ref.is_file():
        return None  # opening a FIFO would wait for its writer
    try:
        with ref.source.look_at(ref.path) as file:
            return kind_of_open(file)
    except OSError:
        return None


def kind_of_open(file: OpenFile) -> FileKind | None:
    """Recognise an open file.

    Raises:
        OSError: The system cannot read.
    """
    head = file.read(N_HEAD_BYTES)
    if head.startswith(_ZIP):
        return kind_of(head, members=_members_of(file))
    kind = kind_of(head)
    if kind is not None and kind.id in _BY_HEAD:
        return kind  # the end of a compressed file is far
    kind = kind_of(head, file.read(N_TAIL_BYTES, max(0, file.n_bytes - N_TAIL_BYTES)))
    may_be_block = kind is None or not (kind.form or kind.id in ("tar", "zip"))  # the first member of these may be one
    return BY_ID["hdf5"] if may_be_block and _has_user_block(file) else kind


def _has_user_block(file: OpenFile) -> bool:
    """Return whether an HDF5 file begins after a block that is not its own."""
    starts = (at for at in _HDF5_STARTS if at < file.n_bytes)
    return any(file.read(len(HDF5_SIGNATURE), at) == HDF5_SIGNATURE for at in starts)


def _members_of(file: OpenFile) -> tuple[str, ...] | None:
    """Return the names of the members of a zip; None if its directory is damaged, or too large for any weight file.

    Raises:
        OSError: The system cannot read.
    """
    from safeload._bytes.archives.zips import names_in_zip  # noqa: PLC0415  (few files are zips)

    file.keep()  # its directory is at its end
    try:
        return tuple(names_in_zip(file, FileRef(path=file.path, role="archive"), max_members=MAX_ZIPPED))
    except SafeLoadError:
        return None


def kinds_of(model: str | None) -> list[FileKind]:
    """Return the supported kinds of weight file, of one model or of all."""
    return [kind for kind, _ in KINDS if kind.form and (model is None or model in kind.models)]


def wrong_kind(ref: FileRef, kind: FileKind, *, wanted: str) -> WrongFileKindError:
    """Return the error for a file of another kind than expected."""
    message = f"the {ref.role} file is not {wanted}: {kind.name}"
    hints = [kind.hint] if kind.hint else []
    return WrongFileKindError(message, wanted=wanted, found=kind.name, **ref.facts, hints=hints)
