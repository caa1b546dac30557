"""Assert conditions on untrusted bytes."""

from __future__ import annotations


def require_intact(holds: bool) -> None:  # noqa: FBT001  (like assert, but kept under -O)
    """Require a condition that intact bytes meet.

    Raises:
        ValueError: It does not hold.
    """
    if not holds:
        message = "it is truncated or inconsistent"
        raise ValueError(message)
