"""Sign a model with model-signing, after a check of exactly the files that are signed."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._bytes.files import FileRef
from safeload._bytes.kinds import FileKind, wrong_kind
from safeload._bytes.names import is_of_the_system
from safeload._bytes.paths import resolve_path
from safeload._bytes.small import require_file
from safeload._bytes.writing import atomic_write
from safeload._frameworks.signing import require_signing
from safeload._signatures.verifying import certified, signed_of
from safeload._text.words import reason_of
from safeload.errors import LockError
from safeload.report import Signature

if TYPE_CHECKING:
    from collections.abc import Callable

    from safeload._frameworks.signing import Signing
    from safeload.lock._signed import Signed

USUAL_NAME = "model.sig"
_DECRYPT = "if it is encrypted, sign with: model_signing sign key --password, which safeload verifies too"


class Signer(NamedTuple):
    """What to sign with, as the caller passed it.

    Attributes:
        private_key: The PEM file of an elliptic curve key.
        certificate: The PEM file of its certificate; None to sign with the key alone.
        chain: The PEM files of the certificates that vouch for it, up to the root.
    """

    private_key: object
    certificate: object = None
    chain: tuple[object, ...] = ()


class _Known(NamedTuple):
    """Stands for the configuration of hashes: returns those that were checked."""

    manifest: Any

    def hash(self, _: object) -> Any:  # noqa: ANN401  (a manifest)
        return self.manifest


def usual_place(model: str) -> str:
    """Return the path of the signature of a folder, or of an archive."""
    return os.path.join(model, USUAL_NAME) if os.path.isdir(model) else f"{model}.sig"


def sign(model: str, path: str, signer: Signer, check: Callable[[Signed], object]) -> Signature:
    """Sign a folder, or an archive, and write the signature; links are followed.

    Args:
        model: The resolved path of the folder or archive. Of a folder, every file is signed but the signature, what belongs to Git, and what systems put there.
        path: The resolved path of the signature.
        signer: The key.
        check: Checks the model against a signature; it compares what is signed with what a load reads.

    Returns:
        What was signed with.

    Raises:
        WrongFileKindError: The key or a certificate is another file.
        LockError: model-signing cannot sign the folder.
        MissingDependencyError: model-signing is missing.
        SafeLoadError: As `check` and `atomic_write`.
    """
    signing = require_signing()
    config = _configured(signer, signing)
    ref = FileRef(path=path, role="signature")
    try:
        hashes = signing.hashing.Config().set_allow_symlinks(True).set_ignored_paths(paths=_unsigned(model, path))
        manifest = hashes.hash(model)
    except ValueError as exc:
        raise LockError(f"the folder cannot be signed: {reason_of(exc)}", resolved=model, label="folder") from exc
    unwritten = Signature(path="", method="key", fingerprint="", n_files=0)
    signed = signed_of(manifest, ref, unwritten)
    check(signed.rooted(FileRef(path=model, role="model")))
    with atomic_write(path, role="signature") as unfinished:
        config.set_hashing_config(_Known(manifest)).sign(model, unfinished.path)
        bundle = signing.bundles.Signature.read(Path(unfinished.path))
    n_files = signed.by.n_files
    if signer.certificate is not None:
        return replace(certified(bundle, ref, "", signing), n_files=n_files)
    hint = bundle.bundle.verification_material.public_key.hint
    return Signature(path=path, method="key", fingerprint=hint, n_files=n_files)


def _unsigned(model: str, path: str) -> list[str]:
    """Return the names in a folder that are not signed: the signature's, and those of what systems put there."""
    if not os.path.isdir(model):
        return []
    found = [
        os.path.join(folder, name) for folder, _, names in os.walk(model) for name in names if is_of_the_system(name)
    ]
    return [os.path.relpath(each, model) for each in (path, *found)]


def _configured(signer: Signer, signing: Signing) -> Any:  # noqa: ANN401  (a configuration of model-signing)
    """Return the configuration that signs.

    Raises:
        WrongFileKindError: The key or a certificate cannot be used, or they do not belong together.
        SafeLoadError: As `require_file`.
    """
    private = _resolved(signer.private_key, "private key")
    config = signing.signing.Config()
    try:
        if signer.certificate is None:
            return config.use_elliptic_key_signer(private_key=private.path)
        certificate = _resolved(signer.certificate, "certificate")
        chain = [_resolved(each, "certificate").path for each in signer.chain] or [certificate.path]
        return config.use_certificate_signer(
            private_key=private.path, signing_certificate=certificate.path, certificate_chain=chain
        )
    except (ValueError, TypeError, AttributeError, ArithmeticError) as exc:
        kind = FileKind("key", f"a key that model-signing does not take: {reason_of(exc)}", _DECRYPT)
        raise wrong_kind(private, kind, wanted="the private key of an elliptic curve in PEM") from exc


def _resolved(given: object, role: str) -> FileRef:
    ref = FileRef(path=resolve_path(given, argument=role), role=role, given=given)
    require_file(ref)
    return ref
