"""Write SARIF 2.1.0: a result for each bad model, and for each warning."""

from __future__ import annotations

import hashlib
import inspect
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safeload import errors
from safeload._bytes.addresses import is_address
from safeload.cli import _console
from safeload.cli.formats import _places
from safeload.cli.formats.json import array_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from safeload.cli.formats import Head, Totals
    from safeload.cli.formats._places import Finding
    from safeload.fleet._result import CheckResult

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "SRCROOT"
EXPECT = "expect"


class Writer:
    """Write one run, whose results come first."""

    def __init__(self, write: Callable[[str], object], head: Head) -> None:
        """Write what is before the results."""
        self._write, self._head = write, head
        self._before = "\n"
        self._rules: list[str] = []
        write(f'{{"$schema": "{SCHEMA}", "version": "2.1.0", "runs": [{{"results": [')

    def add(self, result: CheckResult) -> None:
        """Write what is wrong with a model."""
        for found in _places.findings(result):
            self._add(
                {
                    **self._result(found.rule, found.level, found.text),
                    "locations": [{"physicalLocation": {"artifactLocation": _location(found.path)}}],
                    "partialFingerprints": {"safeload/v1": _fingerprint(found)},
                    "properties": {"model": result.path, "kind": result.kind},
                }
            )

    def end(self, totals: Totals) -> None:
        """Write the run."""
        if other := totals.other_count(self._head.n_expected):
            self._add(self._result(EXPECT, "error", other))
        notes = (
            {"level": "note", "message": {"text": f"skipped {each.path}: {each.reason}"}} for each in totals.skipped
        )
        run = {
            "tool": {"driver": {"name": "safeload", "version": self._head.version, "rules": _described(self._rules)}},
            "originalUriBaseIds": {ROOT: {"uri": f"{Path.cwd().as_uri()}/"}},
            "properties": {"n_good": totals.n_good, "n_bad": totals.n_bad},
        }
        invocation = {
            "executionSuccessful": totals.is_complete,
            "startTimeUtc": self._head.time,
            "endTimeUtc": datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        self._write(f'],\n{_console.json_text(run)[1:-2]},\n  "invocations": [{_console.json_text(invocation)[:-2]},')
        self._write('\n  "toolExecutionNotifications": ')
        for part in array_of(notes, "\n    "):
            self._write(part)
        self._write("}]\n}]}\n")

    def _add(self, result: dict[str, Any]) -> None:
        self._write(self._before + _console.json_text(result))
        self._before = ",\n"

    def _result(self, rule: str, level: str, text: str) -> dict[str, Any]:
        if rule not in self._rules:
            self._rules.append(rule)
        return {"ruleId": rule, "ruleIndex": self._rules.index(rule), "level": level, "message": {"text": text}}


def _location(path: str) -> dict[str, str]:
    uri, root = path if is_address(path) else Path(path).as_uri(), f"{Path.cwd().as_uri()}/"
    return {"uri": uri.removeprefix(root), "uriBaseId": ROOT} if uri.startswith(root) else {"uri": uri}


def _fingerprint(found: Finding) -> str:
    return hashlib.sha256(
        f"{found.rule}\n{_places.relative(found.path)}".encode("utf-8", "surrogateescape")
    ).hexdigest()


def _described(rules: list[str]) -> list[dict[str, Any]]:
    texts = {EXPECT: "Another number of models was found than expected."}
    texts |= {name: inspect.getdoc(found) or "" for name, found in vars(errors).items() if isinstance(found, type)}
    return [{"id": name, "shortDescription": {"text": texts[name].split("\n", 1)[0]}} for name in rules]
