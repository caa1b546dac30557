"""Read a section of a settings file in INI, TOML, JSON or YAML, with the line of each key."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from safeload._bytes.absent import MAX_NAMES_PRINTED
from safeload._bytes.kinds import N_HEAD_BYTES, FileKind, kind_of, wrong_kind
from safeload._bytes.mistyped import close_names
from safeload._bytes.small import read_small
from safeload._frameworks.packages import install, missing_dependency
from safeload._json import json_object, json_type
from safeload.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from safeload._bytes.files import FileRef

MAX_SETTINGS_BYTES = 1 << 20
MAX_SPACES = 200
MAX_KEYS = 1_000
"""Keys of a section, and sections that a hint compares with a name."""

MAX_YAML_PAIRS = 100_000
"""Keys of all YAML mappings after `<<` has merged others into them."""

_MERGE = "tag:yaml.org,2002:merge"
_SEXAGESIMAL = re.compile(r"[0-9](?::[0-9]+){20}")  # PyYAML takes quadratic time for these numbers
_INI_HEADER = re.compile(r"\[(.+)\]")
_INI_KEY = re.compile(r"([^\s#;=:][^=:]*?)\s*[=:]")


class Section(NamedTuple):
    """A section of a settings file.

    Attributes:
        path: The absolute path of the settings file.
        name: The section's name.
        values: Key -> value.
        lines: Key -> line in the file, counted from 1, if known.
        is_text: Whether values are unparsed text, as in INI.
        shared: Keys from INI's DEFAULT section, which other programs may use too.
    """

    path: str
    name: str
    values: dict[str, Any]
    lines: dict[str, int]
    is_text: bool = False
    shared: frozenset[str] = frozenset()


def read_section(ref: FileRef, name: str) -> Section:
    """Read a section of a settings file; the extension determines the format.

    In TOML, JSON and YAML a dotted name such as "models.elmo" means a nested table.

    Raises:
        ConfigError: The file cannot be parsed, has duplicate keys, or no such section.
        MissingDependencyError: PyYAML is needed and missing.
        WrongFileKindError: The format is unknown, or the file is of another kind.
        MissingFileError, UnreadableFileError, UnsafeFileError: As `read_small`.
    """
    data = read_small(ref, max_bytes=MAX_SETTINGS_BYTES)
    ending = os.path.splitext(ref.path)[1].lower()
    read = _READERS.get(ending)
    kind = kind_of(data[:N_HEAD_BYTES])
    if read is None or (kind is not None and kind.id != "json"):
        kind = kind or FileKind(
            "ending",
            f"it ends in {ending!r}" if ending else "its name has no extension",
            f"the extension selects the format: {', '.join(_READERS)}",
        )
        raise wrong_kind(ref, kind, wanted="INI, TOML, JSON or YAML")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        message = f"the settings file is not UTF-8 text: byte {data[exc.start]:#04x} at offset {exc.start}"
        raise ConfigError(message, **ref.facts, hints=["save it as UTF-8"]) from exc
    return read(text, _Place(ref, name))


class _Place(NamedTuple):
    """The file and the section that are read, for error messages."""

    ref: FileRef
    name: str

    def unparsable(self, what: str, reason: object) -> ConfigError:
        """Return the error for a file with invalid syntax."""
        message = f"the settings file is not {what}: {' '.join(str(reason).split())[:200]}"
        return ConfigError(message, **self.ref.facts)

    def no_section(self, names: Sequence[str]) -> ConfigError:
        """Return the error for a missing section."""
        message = f"the settings file has no section {self.name!r}"
        hints = [f"did you mean {other!r}?" for other in close_names(self.name, names[:MAX_KEYS])]
        context = [("sections", ", ".join(names[:MAX_NAMES_PRINTED]) or "none")]
        return ConfigError(message, **self.ref.facts, context=context, hints=hints)

    def require_few(self, count: int) -> None:
        """Require a section with few keys: each one's line is looked up.

        Raises:
            ConfigError: It has more than `MAX_KEYS`.
        """
        if count > MAX_KEYS:
            message = (
                f"the section {self.name!r} of the settings file has {count:,} keys; at most {MAX_KEYS:,} are read"
            )
            raise ConfigError(message, **self.ref.facts)

    def not_a_table(self, value: object) -> ConfigError:
        """Return the error for a name that is a value, not a section."""
        message = f"{self.name!r} is not a section of the settings file but a value of type {json_type(value)}"
        return ConfigError(message, **self.ref.facts)


def _ini(text: str, place: _Place) -> Section:
    import configparser  # noqa: PLC0415  (the format of this file)

    if re.search(rf"[^\S\n]{{{MAX_SPACES}}}", text):  # configparser takes quadratic time for these
        raise place.unparsable("INI", f"{MAX_SPACES} spaces in a row")
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text, source=os.path.basename(place.ref.path))
    except configparser.Error as exc:
        raise place.unparsable("INI", exc) from exc
    if place.name != parser.default_section and not parser.has_section(place.name):
        raise place.no_section(parser.sections())
    values = dict(parser[place.name])
    place.require_few(len(values))
    lines: dict[str, dict[str, int]] = {}
    header = ""
    for number, line in enumerate(text.splitlines(), 1):
        if found := _INI_HEADER.match(line):
            header = found[1]
        elif found := _INI_KEY.match(line):
            lines.setdefault(header, {})[parser.optionxform(found[1])] = number
    own = lines.get(place.name, {})
    shared = frozenset(values) - set(own)
    return Section(
        place.ref.path,
        place.name,
        values,
        {**lines.get(parser.default_section, {}), **own},
        is_text=True,
        shared=shared,
    )


def _toml(text: str, place: _Place) -> Section:
    from safeload._text.toml import toml_table  # noqa: PLC0415  (the format of this file)

    try:
        table = toml_table(text.encode("utf-8"))
    except ValueError as exc:
        raise place.unparsable("TOML", exc) from exc
    values = _descend(table, place)
    header = rf"^[ \t]*\[[ \t]*{re.escape(place.name)}[ \t]*\][^\n]*$"
    lines = _lines_after(text, header, values, r"^[ \t]*[\"']?{}[\"']?[ \t]*=", r"^[ \t]*\[")
    return Section(place.ref.path, place.name, values, lines)


def _json(text: str, place: _Place) -> Section:
    table = json_object(text.encode("utf-8"), place.ref)
    values = _descend(table, place)
    name = place.name if place.name in table else place.name.rpartition(".")[2]
    header = rf'"{re.escape(name)}"\s*:\s*\{{'
    return Section(place.ref.path, place.name, values, _lines_after(text, header, values, '"{}"\\s*:', r"\}"))


def _yaml(text: str, place: _Place) -> Section:
    try:
        import yaml  # noqa: PLC0415  (optional)
    except ImportError as exc:
        raise missing_dependency(
            "a settings file in YAML needs PyYAML",
            package="PyYAML",
            wanted=">=6",
            hints=[install("yaml"), "or write the settings as .toml, .json or .ini"],
        ) from exc
    if _SEXAGESIMAL.search(text):
        raise place.unparsable("YAML", "a number with more than 20 colons")
    try:
        root: Any = yaml.compose(text, yaml.SafeLoader)
        _require_few_merges(root)
        table = yaml.safe_load(text)
        _require_unique_keys(root)
    except (LookupError, AttributeError, TypeError) as exc:  # PyYAML raises these for `!!bool maybe` or `!!int ''`
        raise place.unparsable("YAML", "a tag does not fit its value") from exc
    except (yaml.YAMLError, ValueError, OverflowError) as exc:
        raise place.unparsable("YAML", exc) from exc
    except RecursionError as exc:
        raise place.unparsable("YAML", "nested too deep") from exc
    values = _descend(table if isinstance(table, dict) else {}, place)
    lines: dict[str, int] = {}
    for name in [place.name] if place.name in table else place.name.split("."):
        root = next((value for key, value in getattr(root, "value", ()) if key.value == name), None)
    if root is not None:  # None if a merge key added the section
        lines = {key.value: key.start_mark.line + 1 for key, _ in root.value}
    return Section(place.ref.path, place.name, values, lines)


def _require_few_merges(root: Any) -> None:  # noqa: ANN401  (a node of PyYAML)
    """Require that `<<`, which copies the keys of other mappings, does not multiply them."""
    sizes: dict[int, int] = {}

    def size_of(node: Any) -> int:  # noqa: ANN401  (a node of PyYAML)
        if id(node) not in sizes:
            sizes[id(node)] = 0  # for a mapping that merges itself
            parts = node.value if isinstance(node.value, list) else []
            pairs = [part for part in parts if isinstance(part, tuple)]
            inner = [size_of(value) for _, value in pairs] if pairs else [size_of(part) for part in parts]
            merged = [n for (key, _), n in zip(pairs, inner, strict=False) if key.tag == _MERGE]
            sizes[id(node)] = sum(merged) + len(pairs) if pairs else sum(inner)
            if merged and sizes[id(node)] > MAX_YAML_PAIRS:
                message = "`<<` merges too many keys"
                raise ValueError(message)
        return sizes[id(node)]

    if root is not None:
        size_of(root)


def _require_unique_keys(node: Any) -> None:  # noqa: ANN401  (a node of PyYAML)
    """Require unique keys in each mapping; YAML forbids duplicates, but PyYAML accepts them."""
    pending, seen = [node], set()
    while pending:
        node = pending.pop()
        if id(node) in seen or not isinstance(getattr(node, "value", None), list):
            continue
        seen.add(id(node))
        pairs = [part for part in node.value if isinstance(part, tuple)]
        names: set[str] = set()
        for key, _ in pairs:
            if str(key.value) in names:
                message = f"the key {key.value!r} appears more than once, at line {key.start_mark.line + 1}"
                raise ValueError(message)
            names.add(str(key.value))
        pending += [value for _, value in pairs] or node.value


def _descend(table: dict[str, Any], place: _Place) -> dict[str, Any]:
    """Return the table with the section's name, which may be dotted."""
    found: Any = table
    for name in [place.name] if place.name in table else place.name.split("."):
        if not isinstance(found, dict) or name not in found:
            raise place.no_section([str(key) for key, value in table.items() if isinstance(value, dict)])
        found = found[name]
    if not isinstance(found, dict):
        raise place.not_a_table(found)
    place.require_few(len(found))
    return {str(key): value for key, value in found.items()}


def _lines_after(text: str, header: str, keys: dict[str, Any], pattern: str, end: str) -> dict[str, int]:
    """Find the lines of keys between the section's header and `end`: key -> line."""
    start = re.search(header, text, re.MULTILINE)
    if start is None:
        return {}
    stop = re.compile(end, re.MULTILINE).search(text, start.end())
    part = text[: stop.start()] if stop else text
    lines = {}
    for key in keys:
        found = re.compile(pattern.format(re.escape(key)), re.MULTILINE).search(part, start.end())
        if found:
            lines[key] = part.count("\n", 0, found.end()) + 1
    return lines


_READERS: dict[str, Callable[[str, _Place], Section]] = {
    ".ini": _ini,
    ".cfg": _ini,
    ".toml": _toml,
    ".json": _json,
    ".yaml": _yaml,
    ".yml": _yaml,
}
