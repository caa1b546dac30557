"""Tell how a signature file was made, before anything is verified."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Literal

from safeload._bytes.kinds import FileKind, wrong_kind
from safeload._json import json_object
from safeload.errors import ConfigError, LockError, WrongFileKindError

if TYPE_CHECKING:
    from safeload._bytes.files import FileRef

Method = Literal["key", "certificate"]
MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_WANTED = "a signature of OpenSSF model signing"
_USUAL = "pass the signature that was published with the model; its usual name is model.sig"
_AGAIN = "copy the signature file again from whoever signed the model"


def bundle_of(data: bytes, ref: FileRef) -> dict[str, Any]:
    """Parse the contents of a signature file, a Sigstore bundle with an envelope.

    Raises:
        LockError: It is not JSON, is cut off, or is of another version of the format.
        WrongFileKindError: It is another file.
    """
    try:
        bundle = json_object(data, ref)
    except ConfigError as exc:
        raise LockError(exc.message, **ref.facts, hints=[_AGAIN]) from exc
    media_type = bundle.get("mediaType")
    if not (isinstance(media_type, str) and media_type.startswith("application/vnd.dev.sigstore.bundle")):
        raise wrong_kind(ref, FileKind("json", "JSON that is not a Sigstore bundle", _USUAL), wanted=_WANTED)
    if "messageSignature" in bundle:
        raise wrong_kind(
            ref, FileKind("blob", "a Sigstore bundle for one file, without a list of files", _USUAL), wanted=_WANTED
        )
    if not isinstance(bundle.get("verificationMaterial"), dict) or not isinstance(bundle.get("dsseEnvelope"), dict):
        raise malformed(ref, "it has no verificationMaterial or no dsseEnvelope")
    return bundle


def method_of(bundle: dict[str, Any], ref: FileRef) -> Method:
    """Return what a bundle was signed with.

    Raises:
        LockError: It was signed with an identity, with nothing that is known, or is of another version of the format.
    """
    material = bundle["verificationMaterial"]
    if material.get("tlogEntries") or "certificate" in material:
        message = "the signature was made with an identity of Sigstore, which needs the network to verify; that is not supported"
        hints = [
            "verify it with: model_signing verify sigstore, with --identity and --identity_provider; then lock the model",
            "or ask for a signature that was made with a key or a certificate",
        ]
        raise LockError(message, **ref.facts, hints=hints)
    if bundle["mediaType"] != MEDIA_TYPE:
        raise malformed(ref, f"its media type is {bundle['mediaType']!r}; {MEDIA_TYPE!r} is supported")
    if "publicKey" in material:
        return "key"
    if "x509CertificateChain" in material:
        return "certificate"
    raise malformed(ref, "it names neither a key nor a certificate")


def require_names_once(bundle: dict[str, Any], n_named: int, ref: FileRef) -> None:
    """Require that what was signed lists no file twice: readers differ in which digest they take.

    Args:
        bundle: A bundle whose signature was verified.
        n_named: The number of different files, or shards of files, in it.
        ref: The signature file.

    Raises:
        LockError: It lists one twice, or has a key twice.
    """
    try:
        payload = json_object(base64.b64decode(bundle["dsseEnvelope"]["payload"]), ref)
    except (ConfigError, WrongFileKindError) as exc:
        raise malformed(ref, f"what was signed: {exc.message}") from exc
    predicate = payload.get("predicate")
    listed = predicate.get("resources") if isinstance(predicate, dict) else None
    if len(payload["subject"] if listed is None else listed) != n_named:
        raise malformed(ref, "it lists a file more than once")


def malformed(ref: FileRef, what: str) -> LockError:
    """Return the error for a signature file that cannot be used."""
    return LockError(f"the signature file cannot be used: {what}", **ref.facts, hints=[_AGAIN])
