"""Read the paths and options of a model from a settings file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safeload._arguments import as_python, bad_argument
from safeload._boundary import typed_errors
from safeload._bytes.files import FileRef
from safeload._bytes.paths import StrPath, resolve_path
from safeload._text.words import counted
from safeload.errors import ConfigError
from safeload.report import KeyProblem

if TYPE_CHECKING:
    from safeload.settings._sections import Section


@typed_errors
def read_settings(file: StrPath, section: str) -> dict[str, Any]:
    """Read the keyword arguments for `load_bert` or `load_elmo` from a section of a settings file.

    Use it as `load_elmo(**read_settings("config.ini", "ELMO"))`. The keys are the parameters of the two functions; a
    section with `options_file` is for an ELMo, one with `config_file` for a BERT. Relative paths are relative to the
    settings file's folder, not to the working directory; `~` and `$VAR` are expanded.

    Args:
        file: A file that ends in `.ini`, `.cfg`, `.toml`, `.json`, `.yaml` or `.yml`.
        section: The section's name; in TOML, JSON and YAML "a.b" means the table `b` in the table `a`.

    Returns:
        Key -> value. Paths are absolute strings or addresses. Other values have the type of the parameter. In INI, every
        value is text: write a flag as true/false, yes/no, on/off or 1/0, None as `none`, and a list with commas or as JSON.

    Raises:
        ArgumentError: `section` is not a str.
        ConfigError: The file cannot be parsed, has no such section, or the section has unknown keys, values of the wrong
            type or no model; `problems` has all bad keys with their lines.
        InvalidPathError: `file` is not a path.
        MissingDependencyError: PyYAML is needed and missing.
        MissingFileError: The file does not exist.
        UnreadableFileError: This process has no permission to read the file.
        FileSystemError: The system failed to read it.
        UnsafeFileError: The file is larger than 1 MiB, or not a regular file.
        WrongFileKindError: The format is unknown.

    Source:
        configparser of the standard library, for `.ini` and `.cfg`, without interpolation of `%`.
    """
    section = as_python(section)
    if not isinstance(section, str):
        raise bad_argument("section", section, "the name of a section", ["write it as in the file, such as 'ELMO'"])
    from safeload.settings._keys import keys_of, value_of  # noqa: PLC0415  (`import safeload` stays light)
    from safeload.settings._sections import read_section  # noqa: PLC0415

    ref = FileRef(path=resolve_path(file, argument="file"), role="settings", given=file)
    found = read_section(ref, section)
    first, keys = keys_of(found)
    problems: list[KeyProblem] = []
    settings = {}
    for key, value in found.values.items():
        if key in found.shared and key not in keys:
            continue
        try:
            settings[key] = value_of(key, value, keys, found)
        except ValueError as exc:
            problems.append(KeyProblem(key=key, problem=str(exc), line=found.lines.get(key)))
    if first not in found.values:
        problems.append(KeyProblem(key=first, problem="missing; a BERT needs config_file, an ELMo options_file"))
    if problems:
        raise _error(found, problems, ref)
    return settings


def _error(section: Section, problems: list[KeyProblem], ref: FileRef) -> ConfigError:
    problems = sorted(problems, key=lambda problem: problem.line or 0)
    return ConfigError(
        f"the settings cannot be used: {counted(len(problems), 'bad key')}",
        problems=problems,
        **ref.facts,
        context=[("section", section.name)],
        details=[str(problem) for problem in problems],
        hints=["the keys are the parameters of safeload.load_bert and safeload.load_elmo"],
    )
