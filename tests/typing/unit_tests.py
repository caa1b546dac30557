"""The testing kit, and the fixtures in a project's own tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typing_extensions import assert_type

import safeload
from safeload import testing

if TYPE_CHECKING:
    from safeload.pytest_plugin import BrokenModel


def test_a_cut_download_is_told(tmp_path: Path) -> None:
    assert_type(testing.write_bert_checkpoint(tmp_path, layers=3, shards=2), Path)
    testing.truncate(tmp_path, keep=100)
    testing.edit_config(tmp_path, hidden_size=32)
    testing.write_checkpoint(tmp_path / "other.ckpt", {"w": np.zeros((2, 3), np.float32)})
    with pytest.raises(safeload.SafeLoadError):
        safeload.check_bert(tmp_path)


def test_every_fault_is_told(bert_faults: BrokenModel, tiny_elmo: Path) -> None:
    safeload.check_elmo(tiny_elmo)
    with pytest.raises(bert_faults.error):
        safeload.check_bert(bert_faults.folder)


assert_type(testing.BERT_FAULTS["x"].error, type[safeload.SafeLoadError])
