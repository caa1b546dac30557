"""Take options of `safeload check` from the pyproject.toml of a project."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from safeload._text.words import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE, TABLE = "pyproject.toml", ("tool", "safeload", "check")
SETTABLE = ("exclude", "expect", "fail-fast", "isolated", "jobs", "lock", "quiet", "strict")
"""Options that neither write a file nor ask a server: the file may come with a repository that nobody trusts."""


class ProjectCommand(click.Command):
    """A command whose options may be in the nearest pyproject.toml; those of the command line win."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:  # noqa: ANN401  (click's own)
        """Parse the arguments, and print which options came from the file.

        Raises:
            click.UsageError: The file is not TOML, or its table has an unknown key or a value of another type.
        """
        path = _nearest_file()
        if path and (table := _table_of(path)):
            extra["default_map"] = {self._param(key, value, path).name: value for key, value in table.items()}
            click.echo(visible(f"options from {path}: {', '.join(sorted(table))}"), err=True)
        return super().make_context(*args, **extra)

    def _param(self, key: str, value: object, path: Path) -> click.Option:
        options = [each for each in self.params if isinstance(each, click.Option) and f"--{key}" in each.opts]
        if key not in SETTABLE or not options:
            raise _wrong(path, f"{key!r} is not one of {', '.join(SETTABLE)}")
        wanted = _wanted(options[0], value)
        if wanted:
            raise _wrong(path, f"{key} = {value!r} is not {wanted}")
        return options[0]


def _nearest_file() -> Path | None:
    try:
        folder = Path.cwd()
    except FileNotFoundError:  # somebody removed it
        return None
    return next((each / FILE for each in (folder, *folder.parents) if (each / FILE).is_file()), None)


def _table_of(path: Path) -> Mapping[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib  # noqa: PLC0415  (only where there is such a file)
    else:
        import tomli as tomllib  # noqa: PLC0415
    try:
        text = path.read_text(encoding="utf-8")
        found: Any = tomllib.loads(text) if "safeload" in text else {}
    except (OSError, ValueError) as exc:
        raise _wrong(path, f"the file cannot be read: {exc}") from exc
    for name in TABLE:
        found = found.get(name, {}) if isinstance(found, dict) else {}
    return found if isinstance(found, dict) else {}


def _wanted(param: click.Option, value: object) -> str:
    """Return what an option takes if a value is something else, or ""."""
    if param.is_flag:
        return "" if isinstance(value, bool) else "true or false"
    if param.multiple:
        is_list = isinstance(value, list) and all(isinstance(each, str) for each in value)
        return "" if is_list else "a list of strings"
    return "" if type(value) is int else "a whole number"


def _wrong(path: Path, what: str) -> click.UsageError:
    return click.UsageError(f"[{'.'.join(TABLE)}] of {path}: {what}")
