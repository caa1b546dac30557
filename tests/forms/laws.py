"""How Hypothesis runs here, and the law of a changed byte."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
from hypothesis import HealthCheck, settings

from safeload import errors

LAW = settings(deadline=None, suppress_health_check=list(HealthCheck))
"""A shared machine's pauses and TensorFlow's first import are no faults."""


def require_few_changed_values(data, path, read, *, most):
    """Change a byte of a file: a typed error, or the same tensors, of which at most so many have other values."""
    good = path.read_bytes()
    wanted = read()
    at = data.draw(st.integers(0, len(good) - 1))
    changed = bytes([good[at] ^ data.draw(st.integers(1, 255))])
    try:
        path.write_bytes(good[:at] + changed + good[at + 1 :])
        found = read()
    except errors.SafeLoadError:
        return
    finally:
        path.write_bytes(good)
    differing = [name for name in wanted if not np.array_equal(found[name], wanted[name])]
    assert found.keys() == wanted.keys()
    assert len(differing) <= most
