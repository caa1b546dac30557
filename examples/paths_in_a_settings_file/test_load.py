"""Test that the settings lead to the models from any folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from load import main

from safeload.testing import write_bert, write_elmo

if TYPE_CHECKING:
    import pytest


def test_both_load_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Load with the settings beside the models, and the working directory elsewhere."""
    shutil.copy(Path(__file__).with_name("config.ini"), tmp_path)
    write_bert(tmp_path / "models/bert")
    write_elmo(tmp_path / "models/elmo")
    monkeypatch.chdir("/")

    main(str(tmp_path / "config.ini"))

    assert capsys.readouterr().out.count(" read") >= 2
