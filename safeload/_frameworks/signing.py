"""Import model-signing, which reads and writes the signatures of the OpenSSF."""

from __future__ import annotations

from typing import Any, NamedTuple

from safeload._frameworks.packages import (
    REQUIREMENTS,
    import_installed,
    newest_install,
    one_at_a_time,
    required_version,
    version_of,
)

_EXTRA = "signing"
_PURPOSE = ", which verifies and makes signatures"


class Signing(NamedTuple):
    """The modules that sign and verify.

    Attributes:
        hashing: `model_signing.hashing`.
        signing: `model_signing.signing`.
        bundles: `model_signing._signing.sign_sigstore_pb`, which reads a bundle.
        keys: `model_signing._signing.sign_ec_key`, which verifies with a key.
        certificates: `model_signing._signing.sign_certificate`, which verifies with certificates.
        serialization: `cryptography.hazmat.primitives.serialization`.
        x509: `cryptography.x509`.
        invalid: The exception for a signature that is not of its contents.
        untrusted: The exception for a certificate that no trusted one vouches for.
        version: The version of model-signing.
    """

    hashing: Any
    signing: Any
    bundles: Any
    keys: Any
    certificates: Any
    serialization: Any
    x509: Any
    invalid: type[Exception]
    untrusted: type[Exception]
    version: str


@one_at_a_time
def require_signing() -> Signing:
    """Import model-signing and what it verifies with.

    Raises:
        MissingDependencyError: A package is missing, of a version that is not supported, or cannot be imported.
    """
    versions = {
        each.package: required_version(
            each, version_of(each.package), _EXTRA, does="verifies signatures", purpose=_PURPOSE
        )
        for each in REQUIREMENTS[_EXTRA]
    }
    return Signing(
        hashing=_imported("model_signing.hashing"),
        signing=_imported("model_signing.signing"),
        bundles=_imported("model_signing._signing.sign_sigstore_pb"),
        keys=_imported("model_signing._signing.sign_ec_key"),
        certificates=_imported("model_signing._signing.sign_certificate"),
        serialization=_imported("cryptography.hazmat.primitives.serialization"),
        x509=_imported("cryptography.x509"),
        invalid=_imported("cryptography.exceptions").InvalidSignature,
        untrusted=_imported("OpenSSL.crypto").X509StoreContextError,
        version=versions["model-signing"],
    )


def _imported(name: str) -> Any:  # noqa: ANN401  (a module)
    requirement = REQUIREMENTS[_EXTRA][0]
    return import_installed(
        name, package=requirement.package, wanted=requirement.versions, install=newest_install(_EXTRA)
    )
