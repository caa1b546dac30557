"""Test the training, and what a damaged model does to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from train import train

from safeload.errors import CorruptFileError
from safeload.testing import truncate, write_bert_checkpoint

if TYPE_CHECKING:
    from pathlib import Path


def test_the_loss_falls(tiny_bert: Path) -> None:
    """Train on a good model."""
    losses = train(tiny_bert)

    assert losses[-1] < losses[0]


def test_a_truncated_checkpoint_stops_the_script(tmp_path: Path) -> None:
    """Train on a damaged one."""
    folder = write_bert_checkpoint(tmp_path)
    truncate(folder)

    with pytest.raises(CorruptFileError):
        train(folder)
