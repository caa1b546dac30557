"""Read the key or the certificates that the caller trusts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from safeload._bytes.kinds import FileKind, kind_of_data, wrong_kind
from safeload._bytes.small import read_small

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef
    from safeload._signatures.bundle import Method
    from safeload.errors import WrongFileKindError

MAX_PEM_BYTES = 1 << 20
WANTED = "a public key or a certificate in PEM"
_PRIVATE = "pass the public key, which you can make of it: openssl pkey -in PRIVATE_KEY -pubout -out PUBLIC_KEY"
_CONVERT = "convert it with: openssl pkey -pubin -inform DER -in KEY -out PEM; or openssl x509 -inform DER -in CERTIFICATE -out PEM"


class Trusted(NamedTuple):
    """What the caller trusts.

    Attributes:
        ref: The file.
        method: What is in it.
        data: Its contents.
    """

    ref: FileRef
    method: Method
    data: bytes


def read_trusted(ref: FileRef) -> Trusted:
    """Read a PEM file.

    Raises:
        WrongFileKindError: It is no public key and no certificate.
        UnsafeFileError: It is larger than `MAX_PEM_BYTES`.
        MissingFileError, UnreadableFileError, CorruptFileError, FileSystemError: As `read_small`.
    """
    data = read_small(ref, max_bytes=MAX_PEM_BYTES)
    if b"PRIVATE KEY-----" in data:
        raise _wrong(ref, FileKind("private", "a private key", _PRIVATE))
    if b"-----BEGIN CERTIFICATE-----" in data:
        return Trusted(ref, "certificate", data)
    if b"-----BEGIN PUBLIC KEY-----" in data:
        return Trusted(ref, "key", data)
    kind = kind_of_data(data)
    raise _wrong(ref, kind if kind and kind.id != "binary" else FileKind("unknown", "an unrecognised file", _CONVERT))


def unusable(trusted: Trusted, what: str) -> WrongFileKindError:
    """Return the error for a PEM file whose contents cannot be used."""
    hint = "sign with an elliptic curve key: P-256, P-384 or P-521"
    return _wrong(trusted.ref, FileKind("pem", what, hint if trusted.method == "key" else ""))


def _wrong(ref: FileRef, kind: FileKind) -> WrongFileKindError:
    return wrong_kind(ref, kind, wanted=WANTED)
