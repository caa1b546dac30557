"""Print the parts that the two demos share."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Protocol

from safeload.errors import SafeLoadError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Faults = tuple[tuple[str, Callable[[Path], object]], ...]
    """Each fault's title, and the function that causes it in a folder."""


class Show(Protocol):
    """A function that prints lines; `style` is "title", "good", "bad" or "" for plain text."""

    def __call__(self, text: str, style: str = "") -> None:
        """Print lines."""


def show_files(title: str, folder: Path, show: Show) -> None:
    """Print the files of a model and their sizes."""
    show(title)
    for path in sorted(folder.iterdir()):
        show(f"  {path.stat().st_size:>7,} bytes  {path.name}")


def show_faults(folder: Path, faults: Faults, load: Callable[[Path], object], show: Show) -> int:
    """Load broken copies of a model, print the error of each, and return how many loads failed, as all should."""
    broken = folder.with_name("broken")
    n_caught = 0
    for number, (title, spoil) in enumerate(faults, 1):
        shutil.copytree(folder, broken)
        spoil(broken)
        show(f"\nBroken copy {number}: {title}", "title")
        try:
            load(broken)
        except SafeLoadError as exc:
            first, *rest = f"{type(exc).__name__}: {exc}".split("\n")
            show(first, "bad")
            show("\n".join(rest))
            n_caught += 1
        else:
            show("THIS SHOULD NOT HAVE LOADED", "bad")
        shutil.rmtree(broken)
    return n_caught
