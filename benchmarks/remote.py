"""Time a check at an address against a download of the same bytes: `python benchmarks/remote.py [--rounds 5] [--delay 0.02] [--rate 200e6]`.

A local server waits before each answer, and sends at most so many bytes a second over all connections together. The two take turns; each
has a process of its own, with its imports done before the clock starts.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from models import write

N_BLOCK_BYTES = 1 << 18
DOWNLOAD = """
import requests, sys, time
session = requests.Session()
block = bytearray(1 << 18)
begun = time.perf_counter()
for url in sys.argv[1:]:
    with session.get(url, stream=True) as answer:
        while answer.raw.readinto(block):
            pass
print(time.perf_counter() - begun)
"""
CHECK = """
import numpy, requests, safeload, sys, time
import safeload._bytes.remote.http, safeload._forms.arrays
begun = time.perf_counter()
safeload.check_bert(sys.argv[1])
print(time.perf_counter() - begun)
"""


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


def seconds(code: str, *arguments: str) -> float:
    """Return what a script prints."""
    return float(subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, check=True).stdout)


def main() -> None:
    """Print the medians and the ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--delay", type=float, default=0.02, help="Seconds before each answer.")
    parser.add_argument("--rate", type=float, default=200e6, help="Bytes a second, of all answers together.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write("BERT-Base", folder)
        server = server_of(folder, options.delay, options.rate)
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        urls = [address + path.name for path in sorted(folder.iterdir())]
        rows = [(seconds(DOWNLOAD, *urls), seconds(CHECK, address)) for _ in range(options.rounds)]
        server.shutdown()
    download, check = (statistics.median(column) for column in zip(*rows, strict=True))
    ratio = statistics.median(check / download for download, check in rows)
    print(f"download {download:.2f} s, check {check:.2f} s, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
