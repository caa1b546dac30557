"""Print the parts that the two demos share."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from safeload.errors import SafeLoadError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Faults = tuple[tuple[str, Callable[[Path], object]], ...]
    """Each fault's title, and the function that causes it in a folder."""


def show_files(title: str, folder: Path, show: Callable[[str], None]) -> None:
    """Print the files of a model and their sizes."""
    show(title)
    for path in sorted(folder.iterdir()):
        show(f"  {path.stat().st_size:>7,} bytes  {path.name}")


def show_faults(folder: Path, faults: Faults, load: Callable[[Path], object], show: Callable[[str], None]) -> None:
    """Load broken copies of a model, and print the error of each."""
    broken = folder.with_name("broken")
    for number, (title, spoil) in enumerate(faults, 1):
        shutil.copytree(folder, broken)
        spoil(broken)
        show(f"\nBroken copy {number}: {title}")
        try:
            load(broken)
        except SafeLoadError as exc:
            show(f"{type(exc).__name__}: {exc}")
        else:
            show("THIS SHOULD NOT HAVE LOADED")
        shutil.rmtree(broken)
