"""Try again what a server or the network may do at the next attempt."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, TypeVar

from safeload._bytes.open_file import RemoteError

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")

N_ATTEMPTS = 5
FIRST_WAIT = 0.2
"""Seconds before the second attempt; before each other one, twice as many."""

MAX_WAIT = 30.0
"""The most seconds that a server may ask for."""


class PassingError(RemoteError):
    """A failure that may pass.

    Attributes:
        wait: How many seconds the server asks to wait.
    """

    def __init__(self, number: int, text: str, wait: float = 0.0) -> None:
        """Store an error number, what happened, and the seconds to wait."""
        super().__init__(number, text)
        self.wait = wait


def attempted(call: Callable[[], Result]) -> Result:
    """Return what a call returns, which is tried again where its failure may pass.

    Raises:
        RemoteError: It failed each time.
        OSError: As the call, at once.
    """
    pause = FIRST_WAIT
    for n_left in reversed(range(N_ATTEMPTS)):
        try:
            return call()
        except PassingError as exc:  # noqa: PERF203  (few attempts)
            if not n_left or exc.wait > MAX_WAIT:
                text = f"{exc.strerror} (attempt {N_ATTEMPTS - n_left} of {N_ATTEMPTS})"
                raise RemoteError(exc.errno or 0, text) from None
            time.sleep(max(exc.wait, pause * random.uniform(0.5, 1.0)))  # noqa: S311  (no secret depends on it)
            pause *= 2
    raise AssertionError
