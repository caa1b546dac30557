"""The main job on embedded defaults: a tiny real BERT and a tiny real ELMo, loaded in every form, then broken."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from safeload.demo import bert, elmo

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["run"]


def run(show: Callable[[str], None]) -> None:
    """Show the halves whose packages are installed, and say what the other one needs."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryDirectory(prefix="safeload-demo-") as name:
        for title, package, part in (("BERT", "keras_bert", bert), ("ELMo", "torch", elmo)):
            show(f"== {title} ==\n")
            if importlib.util.find_spec(package):
                part.run(Path(name), show)
            else:
                show(f"{title} is left out: pip install 'safeload[{title.lower()}]' first")
            show("")
