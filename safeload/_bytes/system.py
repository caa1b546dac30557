"""Wrap the calls that differ between operating systems; no other module checks for the system."""

from __future__ import annotations

import errno
import functools
import mmap
import os
import sys
import threading
from contextlib import contextmanager, suppress
from io import FileIO
from types import ModuleType
from typing import TYPE_CHECKING, Any

from safeload._bytes.cgroups import memory_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from pathlib import Path

SIGNALS_FROM = 128
"""The exit code of a process that a signal ends is this and the signal's number."""

PAGE_BYTES = mmap.PAGESIZE
_NON_BLOCKING = getattr(os, "O_NONBLOCK", 0)
_SEEKING = threading.Lock()
_STARTING = threading.Lock()
"""Held while a worker is started: until it is listed, nothing could end it."""

_WRITERS: list[Any] = []
"""Sockets that stay open for as long as signals may be written to them."""


def open_without_waiting(path: str, flags: int) -> int:
    """Open a path, without waiting for the writer of a FIFO if the system supports that."""
    return os.open(path, flags | _NON_BLOCKING)


def create_file(path: str) -> FileIO:
    """Create a file that only this user may read or write, where nothing is: not even a link.

    Raises:
        OSError: The system cannot create it.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
    for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, name, 0)
    return FileIO(os.open(path, flags, 0o600), "r+b")


def link(path: Path, new: Path) -> None:
    """Give a file a second name; a symbolic link is not followed.

    Raises:
        OSError: The file system has no hard links, or the system none.
    """
    if not hasattr(os, "link"):
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    os.link(path, new, follow_symlinks=False)


def reserve(file: FileIO, n_bytes: int) -> None:
    """Reserve the space of a file that is written next, so that a full disk is told at once and writing takes less time.

    On ext4, 440 MB in blocks of 4 MB: 0.14 s of the system's time without it, 0.09 s with it (medians of 6 files each). Where the system cannot, nothing is done.

    Raises:
        OSError: The disk is full, or the file too large for it.
    """
    if n_bytes and hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file.fileno(), 0, n_bytes)
        except OSError as exc:
            if exc.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise


def read_at(file: FileIO, block: memoryview, offset: int) -> int:
    """Read into the block from an offset and return the number of bytes read.

    Without `preadv`, a lock protects the file's position.

    Raises:
        OSError: The system cannot read.
    """
    if hasattr(os, "preadv"):
        return os.preadv(file.fileno(), [block], offset)
    with _SEEKING:
        file.seek(offset)
        return file.readinto(block)


def anonymous_memory(n_bytes: int) -> mmap.mmap:
    """Map memory of zeros, private to this process if the system supports that.

    Raises:
        MemoryError: The system has not that much.
    """
    private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
    try:
        return mmap.mmap(-1, n_bytes, **private)
    except (OSError, OverflowError) as exc:
        raise MemoryError(n_bytes) from exc


def give_back(memory: memoryview, start: int, stop: int) -> tuple[int, int]:
    """Give the system the whole pages within a part of mapped memory, which are zeros from then on; return the first and the last.

    Where the system does not take them, none is given back. The last one is not of them.
    """
    first, last = -(-start // PAGE_BYTES), stop // PAGE_BYTES
    mapped = memory.obj
    if last <= first or not isinstance(mapped, mmap.mmap) or not hasattr(mmap, "MADV_DONTNEED"):
        return first, first
    mapped.madvise(mmap.MADV_DONTNEED, first * PAGE_BYTES, (last - first) * PAGE_BYTES)
    return first, last


def private_file() -> FileIO:
    """Return an empty file without a path: in memory if the system supports that, else a temporary file.

    Raises:
        OSError: There is neither.
    """
    if hasattr(os, "memfd_create"):
        with suppress(OSError):  # a sandbox may refuse it
            return FileIO(os.memfd_create("safeload"), "r+b")
    import tempfile  # noqa: PLC0415  (slow to import)

    try:
        file: Any = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  (the caller closes it)
    except FileNotFoundError as exc:
        raise OSError(errno.EROFS, "there is no folder for temporary files; set TMPDIR to one") from exc
    return getattr(file, "file", file)  # type: ignore[no-any-return]  # Windows wraps the file


def limit_cpu_seconds(seconds: int) -> None:
    """Limit the CPU time that this process takes from now on, if the system supports that; lower limits that it began with stay.

    The system ends a process that goes on.
    """
    try:
        import resource  # noqa: PLC0415  (not on every system)
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    wanted = int(used.ru_utime + used.ru_stime) + 1 + seconds
    first, hard = _cpu_limits()
    lower = [limit for limit in (first, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_CPU, (min([wanted, *lower]), hard))


@functools.cache
def _cpu_limits() -> tuple[int, int]:
    """Return the limits of CPU seconds that this process began with."""
    import resource  # noqa: PLC0415  (not on every system)

    return resource.getrlimit(resource.RLIMIT_CPU)


def limit_memory() -> None:
    """Let this process take no more memory than the machine or its container has, if the system supports that; a lower limit stays.

    A file that makes it ask for more is then an error of its own, before the system ends any process.
    """
    try:
        import resource  # noqa: PLC0415  (not on every system)

        n_bytes = min(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), memory_limit() or sys.maxsize)
        limits = resource.getrlimit(resource.RLIMIT_DATA)
    except (ImportError, ValueError, OSError, AttributeError):
        return
    soft, hard = (n_bytes if has == resource.RLIM_INFINITY else min(n_bytes, has) for has in limits)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def process_context() -> Any:  # noqa: ANN401  (typed by method, which differs between systems)
    """Return the multiprocessing context: "forkserver", or "spawn" if there is no fork server, or no folder for its socket."""
    import multiprocessing  # noqa: PLC0415  (slow to import)
    import tempfile  # noqa: PLC0415  (slow to import)

    has_server = "forkserver" in multiprocessing.get_all_start_methods()
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        has_server = False
    return multiprocessing.get_context("forkserver" if has_server else "spawn")


@contextmanager
def _without_main() -> Iterator[None]:
    """Let processes that are started import nothing of the caller's script, which would run again in each of them."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def start_workers(modules: list[str]) -> None:
    """Start the fork server, so that Ctrl-C ends this process alone and `end_workers` its workers.

    Args:
        modules: What it imports once for all workers.
    """
    import signal  # noqa: PLC0415  (slow to import)
    from multiprocessing import forkserver, resource_tracker  # noqa: PLC0415  (slow to import)

    if process_context().get_start_method() != "forkserver":
        return
    resource_tracker.ensure_running()  # which would unblock the signal
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which every child inherits
    try:
        with _without_main():
            forkserver.set_forkserver_preload(modules)
            forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def obey_parent() -> None:
    """Ignore Ctrl-C in a worker, which ends with its parent."""
    import multiprocessing  # noqa: PLC0415  (slow to import)
    import signal  # noqa: PLC0415  (slow to import)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def start_worker(process: Any) -> None:  # noqa: ANN401  (a process of `process_context`)
    """Start a process that `end_workers` ends."""
    with _STARTING, _without_main():
        process.start()


def wait_for(pipes: Sequence[Connection], seconds: float) -> list[Any]:
    """Return those of the pipes that have something to read, or whose process has ended, once there is one."""
    from multiprocessing.connection import wait  # noqa: PLC0415  (slow to import)

    return list(wait(pipes, seconds))


def end_workers() -> None:
    """End every process that `multiprocessing` started for this one."""
    import multiprocessing  # noqa: PLC0415  (slow to import)

    with _STARTING:
        for process in multiprocessing.active_children():
            process.kill()


def end_on_signals(line: str) -> None:
    """Let Ctrl-C and SIGTERM end this process with a line on stderr, until `on_stop`; ignored signals stay ignored."""
    import signal  # noqa: PLC0415  (slow to import)

    def end(number: int, _frame: object) -> None:
        with suppress(OSError):
            os.write(2, f"{line}\n".encode())
        os._exit(SIGNALS_FROM + number)

    for each in _listened():
        signal.signal(each, end)


def _listened() -> list[int]:
    import signal  # noqa: PLC0415  (slow to import)

    if threading.current_thread() is not threading.main_thread():
        return []
    return [each for each in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(each) != signal.SIG_IGN]


def on_stop(handle: Callable[[int], None], watch: Callable[[int], None]) -> None:
    """On the first Ctrl-C or SIGTERM, call `handle` in the main thread and `watch` in another, each with the signal.

    `watch` is called even while the main thread is in a call that does not return. Signals that this process was started to
    ignore stay ignored. Outside the main thread, nothing is changed.
    """
    import signal  # noqa: PLC0415  (slow to import)
    import socket  # noqa: PLC0415  (slow to import)

    listened = _listened()
    if not listened:
        return
    reader, writer = socket.socketpair()
    writer.setblocking(False)

    def stop(number: int, _frame: object) -> None:
        for each in listened:
            signal.signal(each, signal.SIG_IGN)
        handle(number)

    def listen() -> None:
        while (number := reader.recv(1)[0]) not in listened:
            pass
        watch(number)

    for each in listened:
        signal.signal(each, stop)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=listen, daemon=True).start()
    _WRITERS.append(writer)


def machine() -> dict[str, str]:
    """Return what a bug report needs of the machine: nothing that names it or its user."""
    import locale  # noqa: PLC0415  (only for a bug report)
    import platform  # noqa: PLC0415

    return {
        "system": f"{platform.system()} {platform.release()}",
        "C library": " ".join(platform.libc_ver()).strip() or "unknown",
        "machine": platform.machine(),
        "byte order": sys.byteorder,
        "processors": str(os.cpu_count()),
        "implementation": platform.python_implementation(),
        "encodings": f"files {sys.getfilesystemencoding()}, locale {locale.getpreferredencoding(do_setlocale=False)}",
    }


def branches() -> dict[str, str]:
    """Return, for each thing that systems do differently, how it is done here."""
    import importlib.util  # noqa: PLC0415  (only for a bug report)

    return {
        "reads": "preadv" if hasattr(os, "preadv") else "seek, then read",
        "files without a path": "memfd_create" if hasattr(os, "memfd_create") else "temporary files",
        "space for a new file": "posix_fallocate" if hasattr(os, "posix_fallocate") else "not reserved",
        "memory": "private" if hasattr(mmap, "MAP_PRIVATE") else "as mmap gives it",
        "FIFOs": "opened without waiting" if _NON_BLOCKING else "opened like files",
        "workers": process_context().get_start_method(),
        "limits": "set" if importlib.util.find_spec("resource") else "not set",
    }


def exit_text(code: int) -> str:
    """Describe how a process ended: "the exit code 3", "the signal SIGSEGV"."""
    import signal  # noqa: PLC0415  (only needed for errors)

    if code >= 0:
        return f"the exit code {code}"
    try:
        return f"the signal {signal.Signals(-code).name}"
    except ValueError:
        return f"the signal {-code}"


def is_killed(code: int) -> bool:
    """Return whether a process ended as one does that the system ends where memory runs out."""
    import signal  # noqa: PLC0415  (only needed for errors)

    return code == -getattr(signal, "SIGKILL", 0)
