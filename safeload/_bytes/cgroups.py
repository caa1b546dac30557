"""Read how much memory a container, or another control group of Linux, allows this process."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUPS = Path("/proc/self/cgroup")
ROOT = Path("/sys/fs/cgroup")
_LIMITS = {"": ("memory.max", ("", "unified")), "memory": ("memory.limit_in_bytes", ("memory",))}
"""Controllers in a line of `GROUPS`, "" in version 2 -> the file of the limit, and the folders below `ROOT` where groups may be."""


def memory_limit(groups: Path = GROUPS, root: Path = ROOT) -> int | None:
    """Return the lowest limit, in bytes, of the groups that this process is in; None if there is none.

    Source:
        Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst, Linux 6.1.
    """
    found: list[int] = []
    with suppress(OSError):
        for line in groups.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
            _, _, rest = line.partition(":")
            controllers, _, path = rest.partition(":")
            for name, (file, folders) in _LIMITS.items():
                if name in controllers.split(","):
                    found += [limit for folder in folders for limit in _limits(root / folder, path, file)]
    return min(found, default=None)


def _limits(top: Path, path: str, file: str) -> Iterator[int]:
    """Yield the limits of a group and those above it; a container may see its own group at the top."""
    group = top / path.strip("/")
    for folder in (group, *group.parents):
        if not folder.is_relative_to(top):
            return
        with suppress(OSError, ValueError):  # there is no such group here, or it says "max"
            yield int((folder / file).read_text(encoding="ascii"))
