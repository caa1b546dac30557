"""What is changed in the process while NumPy and h5py are imported, and that it comes back."""

from __future__ import annotations

import gc
import os
from contextlib import nullcontext

import pytest

from safeload._forms.importing import gc_paused, short_blas_timeout

NAME = "OPENBLAS_THREAD_TIMEOUT"


@pytest.fixture(params=[True, False], ids=["collector on", "collector off"])
def was_on(request):
    """Turn the garbage collector on or off for a test."""
    before = gc.isenabled()
    (gc.enable if request.param else gc.disable)()
    yield request.param
    (gc.enable if before else gc.disable)()


def test_the_collector_is_off_inside_and_as_before_after(was_on):
    with gc_paused():
        assert not gc.isenabled()
        with gc_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()

    assert gc.isenabled() is was_on


def test_the_collector_comes_back_after_an_error(was_on):
    with pytest.raises(ImportError), gc_paused():
        raise ImportError

    assert gc.isenabled() is was_on


@pytest.mark.parametrize(("own", "inside"), [(None, "4"), ("26", "26"), ("", "")])
@pytest.mark.parametrize("fails", [False, True])
def test_the_timeout_of_openblas_is_as_before_after(own, inside, fails, monkeypatch):
    monkeypatch.delenv(NAME, raising=False)
    if own is not None:
        monkeypatch.setenv(NAME, own)

    with pytest.raises(ImportError) if fails else nullcontext(), short_blas_timeout():
        assert os.environ[NAME] == inside
        if fails:
            raise ImportError
    assert os.environ.get(NAME) == own


def test_a_timeout_that_is_removed_inside_stays_away(monkeypatch):
    monkeypatch.delenv(NAME, raising=False)
    with short_blas_timeout():
        del os.environ[NAME]

    assert NAME not in os.environ
