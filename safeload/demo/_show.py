"""What both halves of the demo show, and how they break things."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from safeload.errors import SafeLoadError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Faults = tuple[tuple[str, Callable[[Path], object]], ...]
    """What is wrong, and what makes it so in a folder."""


def show_files(title: str, folder: Path, show: Callable[[str], None]) -> None:
    """List a model's files."""
    show(title)
    for path in sorted(folder.iterdir()):
        show(f"  {path.stat().st_size:>7,} bytes  {path.name}")


def show_faults(folder: Path, faults: Faults, load: Callable[[Path], object], show: Callable[[str], None]) -> None:
    """Load broken copies, and show what each is told."""
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


def cut_in_half(path: Path) -> None:
    """Keep the first half of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def write_lfs_pointer(path: Path) -> None:
    """Put a Git LFS pointer in the place of a file."""
    oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
    path.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 440425712\n", encoding="ascii")
