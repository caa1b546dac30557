"""Every fact in a message is a typed attribute, and the builtin parents are parents for a type checker too."""

from __future__ import annotations

from typing_extensions import assert_type

import safeload
from safeload import errors
from safeload.report import KeyProblem, Problem

try:
    safeload.load_bert("models/uncased")
except errors.CheckpointNotFoundError as exc:
    assert_type(exc.looked_for, tuple[str, ...])
    missing: FileNotFoundError = exc
except errors.VariableMismatchError as exc:
    assert_type(exc.report.problems, tuple[Problem, ...])
    for problem in exc.report.problems:
        if problem.kind == "shape" and problem.expected and problem.found:
            assert_type(problem.expected.shape, tuple[int, ...])
except errors.ConfigError as exc:
    assert_type(exc.problems, tuple[KeyProblem, ...])
except errors.CorruptFileError as exc:
    assert_type(exc.offset, int | None)
except errors.AmbiguousCheckpointError as exc:
    assert_type(exc.candidates, tuple[str, ...])
except errors.MissingDependencyError as exc:
    assert_type((exc.package, exc.wanted, exc.found, exc.python), tuple[str, str, str, str])
    import_error: ImportError = exc
except safeload.SafeLoadError as exc:
    assert_type(exc.resolved, str | None)
    assert_type(exc.hints, tuple[str, ...])
