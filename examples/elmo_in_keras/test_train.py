"""Test the training and the saved model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from train import train, write_tiny_elmo

if TYPE_CHECKING:
    from pathlib import Path


def test_it_learns_and_answers_from_the_saved_model(tmp_path: Path) -> None:
    """Train as long as by default."""
    losses, answer = train(write_tiny_elmo(str(tmp_path)), epochs=30)

    assert losses[-1] < losses[0] / 2
    assert answer > 0.5
