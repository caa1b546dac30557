"""Verify and make signatures of models, in the format of OpenSSF model signing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from safeload._bytes.files import FileRef
    from safeload.lock._signed import Signed


class Request(Protocol):
    """The arguments of a load or check."""

    @property
    def signature(self) -> object:
        """The signature, as the caller passed it."""

    @property
    def signed_by(self) -> object:
        """The trusted key or certificates, as the caller passed them."""

    @property
    def base_dir(self) -> object:
        """The base of relative paths."""


def signed_for(request: Request, model: Callable[[], FileRef]) -> Signed | None:
    """Verify the signature of a load or check, for a file or folder; None if none was passed.

    The file or folder is only asked for where there is a signature.

    Raises:
        SafeLoadError: As `verified`.
    """
    if request.signature is None and request.signed_by is None:
        return None
    from safeload._signatures.verifying import verified  # noqa: PLC0415  (most loads have no signature)

    return verified(request.signature, request.signed_by, request.base_dir).rooted(model())
