"""What a decoder of untrusted bytes asks at each step."""

from __future__ import annotations


def require_sound(holds: bool) -> None:  # noqa: FBT001  (an assertion that -O keeps)
    """Stop where the bytes cannot be what a writer wrote.

    Raises:
        ValueError: They are not.
    """
    if not holds:
        message = "it is cut off or contradicts itself"
        raise ValueError(message)
