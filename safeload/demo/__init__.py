"""Demonstrate safeload: load a tiny BERT and a tiny ELMo in every form, then broken copies of them."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from safeload._frameworks.packages import install
from safeload.demo import bert, elmo

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["run"]


def run(show: Callable[[str], None]) -> None:
    """Run the demo of each model whose packages are installed, and say what a skipped one needs."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryDirectory(prefix="safeload-demo-") as name:
        for title, package, part in (("BERT", "keras_bert", bert), ("ELMo", "torch", elmo)):
            show(f"== {title} ==\n")
            if importlib.util.find_spec(package):
                part.run(Path(name), show)
            else:
                show(f"{title} is skipped; to run it: {install(title.lower())}")
            show("")
