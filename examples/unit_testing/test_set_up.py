"""Unit tests of the set-up code, with the fixtures that come with safeload: no downloads, no mocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from set_up import is_ready, load_encoder

if TYPE_CHECKING:
    from pathlib import Path

    from safeload.pytest_plugin import BrokenModel


def test_the_encoder_is_loaded(tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A good model gives an encoder of its size."""
    monkeypatch.setenv("MODEL_DIR", str(tiny_bert))

    assert is_ready()
    assert load_encoder().output_shape == (None, 8, 16)


def test_a_broken_model_never_starts(bert_faults: BrokenModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs once for each known fault."""
    monkeypatch.setenv("MODEL_DIR", str(bert_faults.folder))

    assert not is_ready()
    with pytest.raises(bert_faults.error):
        load_encoder()
