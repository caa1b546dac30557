"""Run `safeload doctor`: try each call of safeload, and print a fix for those that fail."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from safeload._bytes import system
from safeload._frameworks.packages import install, version_of
from safeload._text.progress import progress
from safeload.cli import _console
from safeload.cli._probe import PROBES

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = "safeload-doctor/1"
TIMEOUT_SECONDS = 300
_PACKAGES = (
    "safeload", "numpy", "h5py", "crc32c", "zlib-ng", "tensorflow", "keras", "tf-keras", "keras-bert", "torch", "allennlp",
    "cached-path", "PyYAML",
    "transformers", "keras-hub", "safetensors", "fsspec", "distributed", "model-signing",
)  # fmt: skip
_NAME = r"[^\s\\/'\"<>:,;()]+"
_NAMES = rf"{_NAME}(?: {_NAME}){{0,2}}"
_HOMES = re.compile(rf"(?i)(?:[a-z]:[\\/]+Users|/home|/Users)[\\/]+(?:{_NAMES}(?=[\\/])|{_NAME})")
"""A user's folder that is not this process's own."""
_FOLDERS = re.compile(rf"(?i)(?<![\w.~>/\\])(?:[a-z]:[\\/]+|\\{{2,4}}|/)(?:{_NAMES}[\\/]+)+")
"""An absolute path but for its last name, with at most two spaces in a name."""
_RUNNING: set[subprocess.Popen[str]] = set()
_EXTRAS = {"load_bert": "bert", "load_elmo torch": "elmo", "load_elmo allennlp": "elmo"}


@dataclass(kw_only=True)
class Finding:
    """The result of trying one call of safeload.

    Attributes:
        call: Name of the call.
        ok: Whether it worked.
        message: Why it failed.
        remedy: The command or action that fixes it, or "".
        seconds: How long the process took, imports included.
        versions: Versions that are known only after an import.
        returned: Whether the process lived to say how the call went.
    """

    call: str
    ok: bool
    message: str = ""
    remedy: str = ""
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    returned: bool = True


def run(*, as_json: bool) -> int:
    """Try each call, print which work, and return the exit code."""
    versions = {"Python": platform.python_version(), **{name: version_of(name) for name in _PACKAGES}}
    findings = []
    with (
        progress(_console.console(), len(PROBES), "trying each call") as advance,
        ThreadPoolExecutor(2) as pool,
    ):
        try:
            for number, finding in enumerate(pool.map(tried, PROBES), 1):
                findings.append(finding)
                advance(number)
        except BaseException:
            _end_running()
            raise
    for finding in findings:
        versions |= {name: found for name, found in finding.versions.items() if name == "HDF5"}
    works = {finding.call for finding in findings if finding.ok}
    works_here = {"check_elmo", "load_bert"} <= works and bool(works & {"load_elmo torch", "load_elmo allennlp"})
    machine = system.machine()
    if as_json:
        found = [asdict(finding) for finding in findings]
        about = {"system": machine, "versions": versions, "branches": system.branches()}
        _console.print_json({"schema": SCHEMA, "ok": works_here, **about, "calls": found})
    else:
        _print(machine, versions, findings)
    return 0 if works_here else 1


def without_paths(text: str) -> str:
    """Return a message without the folders of this machine, which may name its user; the name of a file is kept."""
    folders = {
        sys.prefix: "<prefix>",
        sys.base_prefix: "<python>",
        tempfile.gettempdir(): "<tmp>",
        _working_directory(): "<cwd>",
        os.path.expanduser("~"): "~",
    }
    folders |= {os.path.realpath(folder): name for folder, name in folders.items() if folder}
    for folder in sorted(folders, key=len, reverse=True):
        if len(folder) > 1:
            text = re.sub(rf"{re.escape(folder)}(?![\w.-])", folders[folder], text)
    return _FOLDERS.sub(".../", _HOMES.sub("~", text))


def _working_directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:  # somebody removed it
        return ""


def tried(call: str) -> Finding:
    """Try a call in a separate process."""
    start = time.perf_counter()
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    with tempfile.TemporaryDirectory(prefix="safeload-doctor-") as folder:
        command = [sys.executable, "-m", "safeload.cli._probe", call, folder]
        try:
            code, printed, complaints = _run(command, environment)
        except subprocess.TimeoutExpired:
            message = f"it did not finish within {TIMEOUT_SECONDS} s"
            return Finding(call=call, ok=False, message=message, remedy=_remedy(call), returned=False)
    seconds = time.perf_counter() - start
    found = _last_object(printed)
    if found is None:
        message = f"the process ended with {system.exit_text(code)}{_last_line(complaints)}"
        return Finding(call=call, ok=False, message=message, remedy=_remedy(call), seconds=seconds, returned=False)
    hints = [str(hint) for hint in found["hints"]]
    remedies = [*(hint for hint in hints if hint.startswith("pip ")), *hints, _remedy(call)]
    return Finding(
        call=call,
        ok=bool(found["ok"]),
        message=without_paths(" ".join(str(found["message"]).split()))[:300],
        remedy="" if found["ok"] else without_paths(remedies[0]),
        seconds=seconds,
        versions=found["versions"],
    )


def _run(command: list[str], environment: dict[str, str]) -> tuple[int, str, str]:
    """Run a process and return its exit code, output and error output.

    Raises:
        subprocess.TimeoutExpired: It did not finish within `TIMEOUT_SECONDS`.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(  # noqa: S603  (this interpreter, and arguments from this file)
        command, stdout=pipe, stderr=pipe, text=True, errors="backslashreplace", env=environment
    ) as process:
        _RUNNING.add(process)
        try:
            printed, complaints = process.communicate(timeout=TIMEOUT_SECONDS)
        except BaseException:
            process.kill()
            raise
        finally:
            _RUNNING.discard(process)
    return process.returncode, printed, complaints


def _end_running() -> None:
    for process in list(_RUNNING):
        process.kill()


def _last_object(text: str) -> dict[str, Any] | None:
    lines = text.strip().splitlines()
    try:
        found = json.loads(lines[-1]) if lines else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return f": {without_paths(lines[-1])[:200]}" if lines else ""


def _remedy(call: str) -> str:
    if call in _EXTRAS:
        return f"in a fresh environment: {install(_EXTRAS[call])}"
    return "install safeload again from its sources, in a fresh environment"


def _print(machine: Mapping[str, str], versions: Mapping[str, str | None], findings: list[Finding]) -> None:
    out = _console.console()
    for name, value in machine.items():
        _console.line(out, f"{name:<21} ", value)
    for name, value in system.branches().items():
        _console.line(out, f"{name:<21} ", value)
    _console.line(out, "")
    for name, version in versions.items():
        _console.line(out, f"{name:<21} ", version or ("not installed", _console.NOTE))
    _console.line(out, "")
    for finding in findings:
        mark = ("ok  ", _console.OK) if finding.ok else ("FAIL", _console.BAD)
        _console.line(out, mark, f" {finding.call:<20}", (f"{finding.seconds:.1f} s", _console.NOTE))
        if not finding.ok:
            _console.line(out, f"     {finding.message}")
            _console.line(out, ("     fix: ", _console.TITLE), finding.remedy)
