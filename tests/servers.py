"""A local HTTP server of a folder, with the faults of real ones."""

from __future__ import annotations

import contextlib
import gc
import gzip
import mmap
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import fsspec

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Iterator
    from pathlib import Path


def mapped(file: Path) -> mmap.mmap:
    """Map a file, which need not be small."""
    with file.open("rb") as opened:
        return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)


class Server:
    """What a server serves, and how; the faults are changed while it runs.

    Attributes:
        folder: The folder that is served.
        address: Its address.
        asked: (path, range) of each request, in order.
        methods: The method of each request.
        faults: Names of faults: see `_Handler`.
        left: How many requests a fault spoils; None for all.
        only: The end of the paths that a fault spoils.
        redirects: Path -> where it redirects to.
    """

    def __init__(self, folder: Path) -> None:
        """Serve a folder."""
        self.folder = folder
        self.address = ""
        self.asked: list[tuple[str, str | None]] = []
        self.methods: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.faults: set[str] = set()
        self.left: int | None = None
        self.only = ""
        self.redirects: dict[str, str] = {}
        self.delay = 0.0
        self.bytes_per_second: float | None = None
        self._lock, self._free_at = threading.Lock(), 0.0

    def pace(self, n_bytes: int) -> None:
        """Wait until the line, which all connections share, has sent so many bytes."""
        if not self.bytes_per_second:
            return
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic()) + n_bytes / self.bytes_per_second
            free_at = self._free_at
        time.sleep(max(0.0, free_at - time.monotonic()))

    def spoils(self, path: str, fault: str) -> bool:
        """Return whether a request for a path is spoilt, and count it."""
        if fault not in self.faults or not path.endswith(self.only) or self.left == 0:
            return False
        self.left = None if self.left is None else self.left - 1
        return True


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        """Answer as a GET, without the body."""
        self.do_GET()

    def do_GET(self) -> None:
        """Answer, as the faults say."""
        served = self.server.served
        path = unquote(urlsplit(self.path).path)
        served.asked.append((path, self.headers.get("Range")))
        served.headers.append(dict(self.headers))
        served.methods.append(self.command)
        time.sleep(served.delay)
        if path in served.redirects:
            return self._answer(302, b"", Location=served.redirects[path])
        for status in (401, 403, 429, 500, 503):
            if served.spoils(path, str(status)):
                return self._answer(status, b"", **({"Retry-After": "0"} if status == 429 else {}))
        if served.spoils(path, "login page"):
            return self._answer(200, b"<!DOCTYPE html><html>Sign in</html>", **{"Content-Type": "text/html"})
        file = served.folder / path.lstrip("/")
        if file.is_dir():
            return self._answer_folder(file, path)
        if not file.is_file():
            return self._answer(404, b"no such file")
        return self._answer_file(file, path)

    def _answer_folder(self, folder: Path, path: str) -> None:
        if "no lists" in self.server.served.faults:
            return self._answer(404, b"no such file")
        if not path.endswith("/"):
            return self._answer(301, b"", Location=f"{path}/")
        links = "".join(f'<a href="{each.name}{"/" * each.is_dir()}">x</a>' for each in sorted(folder.iterdir()))
        return self._answer(200, f'<html><a href="../">up</a>{links}</html>'.encode(), **{"Content-Type": "text/html"})

    def _answer_file(self, file: Path, path: str) -> None:
        served = self.server.served
        size, time_ns = file.stat().st_size, file.stat().st_mtime_ns
        etag = f'"{size:x}-{time_ns:x}"'
        data = memoryview(file.read_bytes() if size < 1 << 20 else mapped(file))
        tags = {} if "no etag" in served.faults else {"ETag": f"W/{etag}" if "weak etag" in served.faults else etag}
        if "If-Match" in self.headers and self.headers["If-Match"] != tags.get("ETag"):
            return self._answer(412, b"")
        if "encoded" in served.faults:
            return self._answer(200, gzip.compress(bytes(data)), **tags, **{"Content-Encoding": "gzip"})
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if wanted is None or "no ranges" in served.faults:
            return self._send(200, data, path, tags)
        start, end = int(wanted[1]), min(int(wanted[2]) + 1, len(data))
        if start >= len(data):
            return self._answer(416, b"", **tags, **{"Content-Range": f"bytes */{len(data)}"})
        shift = 1 if start and "wrong range" in served.faults else 0
        tags["Content-Range"] = f"bytes {start + shift}-{end - 1}/{len(data)}"
        return self._send(206, data[start:end], path, tags)

    def _send(self, status: int, data: memoryview, path: str, headers: dict[str, str]) -> None:
        served = self.server.served
        if served.spoils(path, "wrong length"):
            self._answer(status, data[: len(data) // 2], **headers)
        elif served.spoils(path, "cut"):
            self._answer(status, data, send=data[: len(data) // 2], **headers)
            self.close_connection = True
        elif served.spoils(path, "stall"):
            self._answer(status, data, send=data[: len(data) // 2], **headers)
            time.sleep(2)
            self.close_connection = True
        else:
            self._answer(status, data, **headers)

    def _answer(self, status: int, data: bytes | memoryview, *, send: memoryview | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        sent = memoryview(b"" if self.command == "HEAD" else data if send is None else send)
        for start in range(0, len(sent), 1 << 18):
            part = sent[start : start + (1 << 18)]
            self.wfile.write(part)
            self.server.served.pace(len(part))
        self.wfile.flush()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    served: Server

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that leave."""


@contextlib.contextmanager
def serving(folder: Path, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serve a folder on a port of this machine, over HTTP or HTTPS."""
    served = Server(folder)
    with _Http(("127.0.0.1", 0), _Handler) as http:
        http.served = served
        served.address = f"http://127.0.0.1:{http.server_address[1]}"
        if tls is not None:
            served.address = f"https://localhost:{http.server_address[1]}"
            http.socket = tls.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield served
        finally:
            http.shutdown()
            thread.join()
            gc.collect()  # closes the connections, which later tests may count


@contextlib.contextmanager
def in_memory(folder: Path, name: str) -> Iterator[Any]:
    """Copy a folder into fsspec's store in memory, as `memory://NAME`."""
    files = fsspec.filesystem("memory")
    files.put(f"{folder}/", f"/{name}", recursive=True)
    try:
        yield files
    finally:
        files.store.clear()
        files.pseudo_dirs[:] = [""]


def be_impatient(monkeypatch: Any, seconds: float = 0.3) -> None:
    """Wait little before another attempt, and for a server that stalls."""
    monkeypatch.setattr("safeload._bytes.remote.attempts.FIRST_WAIT", 0.001)
    monkeypatch.setattr("safeload._bytes.remote.http.READ_SECONDS", seconds)


def write_forms(write: Any, folder: Path, forms: Iterable[str]) -> None:
    """Write a model in each form, into folders of their names."""
    for form in forms:
        write(folder / form.replace("/", "-"), form=form)


def require_same(remote: Any, local: Any) -> None:
    """Require that two reports are of the same tensors, and of files of the same roles and sizes."""
    assert remote.read == local.read
    assert remote.form == local.form
    assert [(file.role, file.n_bytes) for file in remote.files] == [(file.role, file.n_bytes) for file in local.files]
