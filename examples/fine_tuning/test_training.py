"""Test the training, the saved model, and what a changed byte does to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from predict import predict
from train import TEXTS, train

from safeload.errors import LockError
from safeload.testing import flip_bit

if TYPE_CHECKING:
    from pathlib import Path


def test_it_learns_and_answers_from_the_saved_model(tiny_bert: Path, tmp_path: Path) -> None:
    """Train, and predict what was trained."""
    losses = train(tmp_path / "saved", tiny_bert)
    first, second, *_ = predict(tmp_path / "saved", TEXTS)

    assert losses[-1] < losses[0]
    assert second < first


def test_a_changed_byte_stops_the_prediction(tiny_bert: Path, tmp_path: Path) -> None:
    """Flip a bit of the saved weights."""
    train(tmp_path / "saved", tiny_bert, steps=1)
    flip_bit(tmp_path / "saved")

    with pytest.raises(LockError):
        predict(tmp_path / "saved", TEXTS)
