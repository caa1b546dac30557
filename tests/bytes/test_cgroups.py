"""The memory that a container allows: the lowest limit of the process's groups, in both versions of control groups."""

from __future__ import annotations

import pytest

from safeload._bytes import system
from safeload._bytes.cgroups import memory_limit

GB = 1 << 30
V1 = "9:pids:/\n4:memory,hugetlb:/docker/abc\n1:name=systemd:/\n0::/\n"
V2 = "0::/kubepods/pod1/abc\n"
CASES = {
    "version 2": (V2, {"kubepods/pod1/abc/memory.max": GB}, GB),
    "version 2, a group above": (V2, {"kubepods/memory.max": GB, "kubepods/pod1/abc/memory.max": 2 * GB}, GB),
    "version 2, seen from inside": (V2, {"memory.max": GB}, GB),
    "version 2, beside version 1": (V2, {"unified/kubepods/memory.max": GB}, GB),
    "version 1": (V1, {"memory/docker/abc/memory.limit_in_bytes": GB}, GB),
    "version 1, seen from inside": (V1, {"memory/memory.limit_in_bytes": GB}, GB),
    "no limit": (V2, {"memory.max": "max"}, None),
    "no groups": (V1, {}, None),
    "a path that leads out": ("0::/../../a\n", {"memory.max": GB}, GB),
    "other text": ("memory\n\n0\n", {"memory.max": "x"}, None),
}


@pytest.mark.parametrize(("groups", "files", "limit"), CASES.values(), ids=CASES)
def test_the_lowest_limit_is_found(groups, files, limit, tmp_path):
    root = tmp_path / "fs"
    for name, value in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{value}\n")
    (tmp_path / "cgroup").write_text(groups)

    assert memory_limit(tmp_path / "cgroup", root) == limit


def test_a_system_without_groups_has_no_limit(tmp_path):
    assert memory_limit(tmp_path / "none", tmp_path) is None


def test_a_worker_takes_no_more_than_its_container_has(monkeypatch):
    resource = pytest.importorskip("resource")
    limits = []
    monkeypatch.setattr(system, "memory_limit", lambda: GB)
    monkeypatch.setattr(resource, "setrlimit", lambda *args: limits.append(args))

    system.limit_memory()

    assert limits == [(resource.RLIMIT_DATA, (GB, GB))]
