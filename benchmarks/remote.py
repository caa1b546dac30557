"""Serve a folder as a distant store does: `python benchmarks/remote.py FOLDER [--delay 0.02] [--rate 200e6]`.

It waits before each answer, and sends at most so many bytes a second over all connections together. It serves until its standard input is closed.
"""

from __future__ import annotations

import argparse
import atexit
import re
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

N_BLOCK_BYTES = 1 << 18


class Limiter:
    """A rate that all connections share."""

    def __init__(self, rate: float) -> None:
        """Begin with bytes a second."""
        self._rate, self._free, self._lock = rate, 0.0, threading.Lock()

    def wait(self, n_bytes: int) -> None:
        """Wait until these bytes may be sent."""
        with self._lock:
            now = time.perf_counter()
            self._free = max(self._free, now) + n_bytes / self._rate
            until = self._free
        time.sleep(max(0.0, until - now))


def server_of(folder: Path, delay: float, rate: float) -> ThreadingHTTPServer:
    """Return a running server of the files in a folder."""
    limiter = Limiter(rate)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(is_head=True)

        def do_GET(self) -> None:
            self._answer(is_head=False)

        def _answer(self, *, is_head: bool) -> None:
            time.sleep(delay)
            path = folder / self.path.lstrip("/")
            if not path.is_file():
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            size = path.stat().st_size
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            start = int(asked[1]) if asked else 0
            end = min(int(asked[2]) + 1 if asked and asked[2] else size, size)
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("ETag", f'"{size}"')
            self.send_header("Content-Length", str(end - start))
            self.end_headers()
            if is_head:
                return
            with path.open("rb", buffering=0) as file:
                for at in range(start, end, N_BLOCK_BYTES):
                    n_bytes = min(N_BLOCK_BYTES, end - at)
                    limiter.wait(n_bytes)
                    self.connection.sendfile(file, at, n_bytes)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def serve(folder: Path) -> str:
    """Serve a folder from a process of its own until this one ends, and return the address."""
    command = [sys.executable, __file__, str(folder)]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(server.communicate)
    return (server.stdout or sys.stdin).readline().strip()


def main() -> None:
    """Print the address, and serve until nothing more can come from the standard input."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--delay", type=float, default=0.02, help="seconds before each answer")
    parser.add_argument("--rate", type=float, default=200e6, help="bytes a second, of all answers together")
    options = parser.parse_args()
    server = server_of(options.folder, options.delay, options.rate)
    print(f"http://127.0.0.1:{server.server_address[1]}/", flush=True)
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main()
