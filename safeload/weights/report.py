"""Define the report of a check of weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from safeload._text.dicts import dict_of
from safeload._text.words import counted, counted_of, first_of, with_article
from safeload.report import ANY_MODEL, file_rows, pairs_text, rows_text, seconds_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safeload.report import FileRead, Signature, TensorSpec


@dataclass(frozen=True, kw_only=True)
class WeightsReport:
    """The result of `check_weights`.

    Attributes:
        model: "any", because the weights are not compared with a model.
        noun: "tensors", "variables" of a TensorFlow checkpoint, or "datasets" of an HDF5 file.
        files: Every file that was read.
        given: The path, as the caller passed it.
        place: What it is: "safetensors file", "folder", "index of shards", ...
        form: The form of the weights: "tensorflow", "hdf5", "safetensors", ...
        read: The tensors whose bytes were read and verified.
        n_bytes: The size of their values, in bytes.
        not_looked_at: Element type -> number of tensors, for the types that are not searched for NaN and infinity.
        not_read: Tensors of types that safeload does not read, such as strings in HDF5 or quantized tensors in PyTorch's files.
        checksums: Which bytes were compared with checksums in the files.
        digest: SHA-256, in hex, of what was read: each tensor's name, type, shape and checksum. It is equal in any process,
            on any machine and for any backend. It is made from CRCs, which detect accidents but not attacks.
        proofs: What whole files were compared with: a lock, a signature, the names of blobs in a Hugging Face cache.
        signature: Who signed the files, if a signature was passed.
        notes: Non-fatal observations.
        warnings: Suspicious facts. The call also warned of them.
        seconds: Step -> duration in seconds.
        versions: Package -> version.
    """

    model: str = ANY_MODEL
    noun: str = "tensors"
    files: tuple[FileRead, ...] = ()
    given: str = ""
    place: str = ""
    form: str = ""
    read: tuple[TensorSpec, ...] = ()
    n_bytes: int = 0
    not_looked_at: Mapping[str, int] = field(default_factory=dict)
    not_read: tuple[TensorSpec, ...] = ()
    checksums: str = ""
    digest: str = ""
    proofs: tuple[str, ...] = ()
    signature: Signature | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain dicts, lists, strings and numbers for `json.dumps`."""
        return dict_of(self)

    def headline(self) -> str:
        """Return the first line: the counts of tensors and bytes."""
        left = f", {len(self.not_read)} not read" if self.not_read else ""
        n_read = counted_of(len(self.read), self.noun)
        return f"weights: {n_read} of {counted(self.n_bytes, 'byte')} read and verified{left}"

    def __str__(self) -> str:
        """Return the report as text for a log."""
        rows = file_rows(self.files)
        rows += [("given", f"{self.given!r}, {with_article(self.place)}"), ("form", self.form)]
        rows += [("not looked", pairs_text(self.not_looked_at, " "))]
        rows += [("not read", first_of([f"{spec.name} {spec}" for spec in self.not_read]))]
        rows += [("checksums", self.checksums), ("digest", self.digest)]
        rows += [("proof", proof) for proof in self.proofs]
        rows += [("signed by", self.signature.who())] if self.signature else []
        rows += [("warning", warning) for warning in self.warnings]
        rows += [("note", note) for note in self.notes]
        rows += [("seconds", seconds_text(self.seconds)), ("versions", pairs_text(self.versions, " "))]
        return rows_text(self.headline(), rows)
