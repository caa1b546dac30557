"""Verify a signature with model-signing, and return what it says of the files.

The bundle and the key are read once, by safeload; model-signing gets their bytes in the place of paths, and opens no file.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._arguments import bad_argument
from safeload._bytes.archives.locating import given_ref
from safeload._bytes.small import read_small
from safeload._frameworks.signing import require_signing
from safeload._signatures.bundle import bundle_of, malformed, method_of, require_names_once
from safeload._signatures.trusted import Trusted, read_trusted, unusable
from safeload._text.words import escaped, reason_of
from safeload.errors import LockError
from safeload.lock import is_canonical
from safeload.lock._signed import ITSELF, Digest, Signed
from safeload.report import Signature

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef
    from safeload._frameworks.signing import Signing
    from safeload.errors import ArgumentError

MAX_SIGNATURE_BYTES = 16 << 20
_ALGORITHM = re.compile(r"blake3|(sha256|blake2b)(-sharded-[1-9][0-9]{0,17})?")
_WHOSE = "pass the key or certificate of whoever signed the model, from a place that you trust"


class _Held(NamedTuple):
    """The contents of a file, with the two methods of a path that model-signing calls."""

    data: bytes

    def read_bytes(self) -> bytes:
        return self.data

    def read_text(self, encoding: str = "utf-8") -> str:
        return self.data.decode(encoding)


def verified(signature: object, signed_by: object, base_dir: object = None) -> Signed:
    """Verify a signature.

    Args:
        signature: The signature file, as the caller passed it; or what this returned before.
        signed_by: The trusted key or certificates, as the caller passed them.
        base_dir: The base of relative paths.

    Raises:
        ArgumentError: One of the two was passed without the other.
        LockError: The signature was made by another, was altered, is malformed, or of a kind that is not supported.
        WrongFileKindError: One of the two files is another one.
        MissingDependencyError: model-signing is missing.
        SafeLoadError: As `resolve_path` and `read_small`.
    """
    if isinstance(signature, Signed):
        return signature
    if signature is None:
        hints = ["pass the signature file too, which was published with the model: signature=..."]
        raise _alone(bad_argument("signature", None, "a path where signed_by is passed", hints), signed_by)
    if signed_by is None:
        raise _alone(bad_argument("signed_by", None, "a path where signature is passed", [_WHOSE]), signature)
    ref = given_ref(signature, "signature", "signature", base_dir=base_dir)
    key = given_ref(signed_by, "signed_by", "signed_by", base_dir=base_dir)
    data = read_small(ref, max_bytes=MAX_SIGNATURE_BYTES)
    bundle = bundle_of(data, ref)
    method = method_of(bundle, ref)
    trusted = read_trusted(key)
    if trusted.method != method:
        message = f"the signature was made with a {method}, and signed_by is a {trusted.method}"
        raise LockError(message, **ref.facts, context=[("signed_by", key.path)], hints=[_WHOSE])
    signed, n_named = _verified(data, ref, trusted, require_signing())
    require_names_once(bundle, n_named, ref)
    return signed


def _alone(error: ArgumentError, given: object) -> ArgumentError:
    """Return the error with the argument that was passed without the other."""
    error.given = given
    return error


def _verified(data: bytes, ref: FileRef, trusted: Trusted, signing: Signing) -> tuple[Signed, int]:
    """Return what the signature says, and how many files, or shards of files, model-signing found in it."""
    try:
        bundle = signing.bundles.Signature.read(_Held(data))
    except Exception as exc:
        raise malformed(ref, f"{type(exc).__name__}: {reason_of(exc)}") from exc
    if trusted.method == "key":
        verifier, by = _with_key(bundle, ref, trusted, signing)
    else:
        verifier, by = _with_certificates(bundle, ref, trusted, signing)
    try:
        with redirect_stdout(StringIO()):  # where model-signing remarks on older bundles
            manifest = verifier.verify(bundle)
            n_named = len(list(manifest.resource_descriptors()))
    except signing.invalid as exc:
        message = "the signature is not of its contents: they were altered, or it was made with another key"
        raise LockError(message, **ref.facts, context=_context(by), hints=["copy it again", _WHOSE]) from exc
    except signing.untrusted as exc:
        message = f"the certificate of the signature is not trusted: {reason_of(exc)}"
        raise LockError(message, **ref.facts, context=_context(by), hints=[_WHOSE]) from exc
    except Exception as exc:
        raise malformed(ref, f"{type(exc).__name__}: {reason_of(exc)}") from exc
    return signed_of(manifest, ref, by), n_named


def _with_key(bundle: Any, ref: FileRef, trusted: Trusted, signing: Signing) -> tuple[Any, Signature]:  # noqa: ANN401
    """Return what verifies with a key, and who signs with it; the bundle names its key by the SHA-256 of its PEM."""
    try:
        verifier = signing.keys.Verifier(_Held(trusted.data))
        key = signing.serialization.load_pem_public_key(trusted.data)
    except Exception as exc:
        raise unusable(trusted, f"a key that model-signing does not take: {reason_of(exc)}") from exc
    encoding, form = signing.serialization.Encoding.PEM, signing.serialization.PublicFormat.SubjectPublicKeyInfo
    fingerprint = hashlib.sha256(key.public_bytes(encoding, form)).hexdigest()
    by = Signature(path=ref.path, method="key", fingerprint=fingerprint, signed_by=trusted.ref.path, n_files=0)
    hint = getattr(bundle.bundle.verification_material.public_key, "hint", None)
    if hint not in (None, "", fingerprint):
        message = "the signature was made with another key"
        context = [("signed with", escaped(str(hint))), *_context(by)]
        raise LockError(message, **ref.facts, context=context, hints=[_WHOSE])
    return verifier, by


def _with_certificates(bundle: Any, ref: FileRef, trusted: Trusted, signing: Signing) -> tuple[Any, Signature]:  # noqa: ANN401
    try:
        verifier = signing.certificates.Verifier([_Held(trusted.data)])
    except Exception as exc:
        raise unusable(trusted, f"not a certificate that can be read: {reason_of(exc)}") from exc
    return verifier, certified(bundle, ref, trusted.ref.path, signing)


def certified(bundle: Any, ref: FileRef, signed_by: str, signing: Signing) -> Signature:  # noqa: ANN401  (a bundle of model-signing)
    """Return whom the certificate in a bundle names.

    Raises:
        LockError: There is none that can be read.
    """
    try:
        first = bundle.bundle.verification_material.x509_certificate_chain.certificates[0]
        certificate = signing.x509.load_der_x509_certificate(first.raw_bytes)
        encoded = certificate.public_bytes(signing.serialization.Encoding.DER)
        subject = escaped(certificate.subject.rfc4514_string())
    except Exception as exc:
        raise malformed(ref, f"its certificate cannot be read: {reason_of(exc)}") from exc
    fingerprint = hashlib.sha256(encoded).hexdigest()
    return Signature(
        path=ref.path, method="certificate", fingerprint=fingerprint, subject=subject, signed_by=signed_by, n_files=0
    )


def _context(by: Signature) -> list[tuple[str, str]]:
    if by.method == "key":
        return [("trusted", by.fingerprint), ("signed_by", by.signed_by)]
    return [("signed with", by.who()), ("signed_by", by.signed_by)]


def signed_of(manifest: Any, ref: FileRef, by: Signature) -> Signed:  # noqa: ANN401
    """Return what a manifest of model-signing says of the files.

    Raises:
        LockError: It was made by a method that is not supported, or shards are missing from it.
    """
    in_shards = manifest.serialization_type["method"] == "shards"
    shards: dict[str, list[tuple[str, str, int]]] = {}
    files: dict[str, Digest] = {}
    for each in manifest.resource_descriptors():
        algorithm, value = str(each.digest.algorithm), each.digest.digest_hex
        size = algorithm.partition("-sharded-")[2]
        if not _ALGORITHM.fullmatch(algorithm) or bool(size) != in_shards:
            message = f"the files were signed with the hash method {escaped(algorithm)!r}, which is not supported"
            hints = ["ask for a signature with sha256, blake2b or blake3"]
            raise LockError(message, **ref.facts, hints=hints)
        if in_shards:
            name, start, end = each.identifier.rsplit(":", 2)
            found = shards.setdefault(name, [])
            is_next = int(start) == len(found) * int(size) == (found[-1][2] if found else 0)
            if not (is_next and 0 < int(end) - int(start) <= int(size)):
                raise malformed(ref, f"its shards of {escaped(name)} are not one after the other")
            found.append((algorithm, value, int(end)))
        else:
            files[each.identifier] = Digest(algorithm, value)
    for name, found in shards.items():
        files[name] = Digest(found[0][0], ",".join(value for _, value, _ in found), found[-1][2])
    named = {name: digest for name, digest in files.items() if name == ITSELF or is_canonical(name)}
    return Signed(by=replace(by, n_files=len(named)), files=named)
