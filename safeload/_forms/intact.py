"""What a decoder of untrusted bytes requires at each step."""

from __future__ import annotations


def require_intact(holds: bool) -> None:  # noqa: FBT001  (an assertion that -O keeps)
    """Stop where the bytes cannot be what a writer wrote.

    Raises:
        ValueError: They are not.
    """
    if not holds:
        message = "it is truncated or inconsistent"
        raise ValueError(message)
