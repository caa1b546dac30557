"""Call a torch module and leave it as it was: the mode of its parts, and the number of torch's threads."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def in_one_thread(torch: Any) -> Iterator[None]:  # noqa: ANN401  (a module)
    """Compute without gradients and in one thread.

    For a few tokens more threads cost more than they help: on a busy machine they wait for each other, and spin.
    """
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            yield
    finally:
        torch.set_num_threads(n_threads)


@contextmanager
def called(torch: Any, module: Any, *, as_it_is: bool) -> Iterator[None]:  # noqa: ANN401  (torch's own)
    """Compute in one thread, with dropout off unless `as_it_is`."""
    training = [] if as_it_is else [each for each in module.modules() if each.training]
    for each in training:
        each.training = False
    try:
        with in_one_thread(torch):
            yield
    finally:
        for each in training:
            each.training = True
