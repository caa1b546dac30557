"""Test the training, and what options of another model do to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from train import train

from safeload.errors import VariableMismatchError
from safeload.testing import edit_config, write_elmo

if TYPE_CHECKING:
    from pathlib import Path


def test_the_loss_falls(tiny_elmo: Path) -> None:
    """Train on a good model."""
    losses = train(tiny_elmo)

    assert losses[-1] < losses[0]


def test_options_of_another_model_stop_the_script(tmp_path: Path) -> None:
    """Train with other options."""
    folder = write_elmo(tmp_path)
    edit_config(folder, char_cnn={"filters": [[1, 99]]})

    with pytest.raises(VariableMismatchError):
        train(folder)
