"""Reports as HTML, for notebooks: a table with its own style, nothing from elsewhere, nothing that runs."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from safeload.report import FileRead, LoadReport

_CELL = "text-align:left;vertical-align:top;padding:.15em .8em .15em 0;overflow-wrap:anywhere"


def report_html(report: LoadReport) -> str:
    """Return a report as a fragment of HTML."""
    rows = [
        ("form", f"{report.form}, given as {report.given!r}" if report.form else ""),
        ("scope", report.scope),
        ("backend", report.backend),
        ("files", _files(report.files)),
        ("checksums", report.checksums),
        ("read", _folded(f"{len(report.read)} {report.noun}", [f"{spec.name} {spec}" for spec in report.read])),
        *[("unused", _folded(f"{len(names)} {what}", names)) for what, names in report.unused.items()],
        ("ignored", _folded(f"{len(report.ignored)} named by ignore_unused", report.ignored)),
        ("initialised", _folded(f"{len(report.initialised)} variables", report.initialised)),
        ("problems", _folded(f"{len(report.problems)} problems", map(str, report.problems))),
        ("taken from the config", ", ".join(f"{key}={value}" for key, value in report.taken_from_config.items())),
        *[("note", note) for note in report.notes],
        ("seconds", ", ".join(f"{step} {spent:.3f}" for step, spent in report.seconds.items())),
        ("versions", ", ".join(f"{name} {version}" for name, version in report.versions.items())),
    ]
    body = "".join(
        f'<tr><th style="{_CELL}">{escape(label)}</th>'
        f'<td style="{_CELL}">{value.html if isinstance(value, _Html) else escape(value)}</td></tr>'
        for label, value in rows
        if value
    )
    return (
        f'<div class="safeload-report"><p><strong>{escape(report.headline())}</strong></p><table>{body}</table></div>'
    )


class _Html(str):
    """Text that is HTML already."""

    __slots__ = ()

    @property
    def html(self) -> str:
        """The text, as it goes into the page."""
        return str(self)


def _files(files: Iterable[FileRead]) -> _Html:
    lines = []
    for file in files:
        more = f", leads to {file.real_path}" if file.real_path else ""
        more += f", SHA-256 {file.sha256}" if file.sha256 else ""
        lines.append(
            f"<div>{escape(file.role)}: <code>{escape(file.path)}</code> {escape(f'{file.n_bytes:,} bytes{more}')}</div>"
        )
    return _Html("".join(lines))


def _folded(title: str, names: Iterable[str]) -> _Html:
    lines = list(names)
    if not lines:
        return _Html("")
    inner = "<br>".join(map(escape, lines))
    return _Html(f"<details><summary>{escape(title)}</summary>{inner}</details>")
