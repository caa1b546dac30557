"""Run `pip install` and show how far it is: one line that changes on a terminal, a line now and then elsewhere.

`python tools/install.py ARGUMENTS...` passes the arguments to pip. What pip printed is shown only where it fails.
"""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path

LINE_EVERY = 20.0
"""Seconds between two lines where there is no terminal."""

STEP = re.compile(
    r"\s*(Collecting|Downloading|Building wheel for|Installing build dependencies|Preparing metadata)\s*(.*)"
)


class Shown:
    """What pip is doing, as one line.

    Attributes:
        doing: The step.
        total: The number of packages that pip installs; 0 until it is known.
    """

    def __init__(self) -> None:
        """Begin."""
        self.doing, self.total, self._collected = "starting pip", 0, 0
        self._folder = Path(sysconfig.get_paths()["purelib"])
        self._before = self._n_installed()
        self._start = time.monotonic()

    def read(self, line: str) -> None:
        """Take a line of pip's."""
        if line.startswith("Installing collected packages:"):
            self.total = line.count(",") + 1
        elif found := STEP.match(line):
            self._collected += found[1] == "Collecting"
            self.doing = f"{self._collected} packages found, {found[1].lower()} {plain(found[2])}"

    def text(self) -> str:
        """Return the line."""
        doing = self.doing
        if self.total:
            doing = f"installing {min(self.total, self._n_installed() - self._before)} of {self.total} packages"
        return f"{time.monotonic() - self._start:4.0f} s  {doing}"

    def _n_installed(self) -> int:
        return sum(path.suffix == ".dist-info" for path in self._folder.iterdir())


def plain(text: str) -> str:
    """Return what pip says of a file or a requirement, without the address and the conditions."""
    name, _, size = text.partition(" (")
    return (
        f"{name.rsplit('/', 1)[-1].split(';')[0]} ({size}"
        if size.endswith("B)")
        else name.rsplit("/", 1)[-1].split(";")[0]
    )


def show(shown: Shown, ended: threading.Event) -> None:
    """Print the line until pip has ended."""
    if not sys.stdout.isatty():
        while not ended.wait(LINE_EVERY):
            print(shown.text(), flush=True)
        return
    has_ended = False
    while not has_ended:
        print(f"\r{shown.text()[:78]:78}", end="", flush=True)
        has_ended = ended.wait(0.5)
    print(f"\r{'':78}\r", end="")


def main() -> int:
    """Run pip, and return its exit code."""
    shown, ended, printed = Shown(), threading.Event(), []
    command = [sys.executable, "-m", "pip", "install", "--progress-bar", "off", *sys.argv[1:]]
    printer = threading.Thread(target=show, args=(shown, ended))
    printer.start()
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
            for line in pip.stdout or ():
                printed.append(line)
                shown.read(line)
    finally:
        ended.set()
        printer.join()
    if pip.returncode:
        print("".join(printed), file=sys.stderr)
    else:
        print(f"installed {shown.total} package{'s' * (shown.total != 1)} in {shown.text().split()[0]} s", flush=True)
    return pip.returncode


if __name__ == "__main__":
    sys.exit(main())
