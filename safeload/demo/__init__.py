"""Demonstrate safeload: load a tiny BERT and a tiny ELMo in every form, then broken copies of them."""

from __future__ import annotations

import importlib.util
import os
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from safeload._frameworks.packages import install
from safeload.demo import bert, elmo

if TYPE_CHECKING:
    from safeload.demo._show import Show

__all__ = ["run"]


def run(show: Show) -> bool:
    """Run the demo of each model whose packages are installed, and say what a skipped one needs.

    Returns:
        Whether every broken copy was an error.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    n_faults = n_caught = 0
    with tempfile.TemporaryDirectory(prefix="safeload-demo-") as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of the libraries, on other things
        for title, package, part in (("BERT", "keras_bert", bert), ("ELMo", "torch", elmo)):
            show(f"== {title} ==\n", "title")
            if importlib.util.find_spec(package):
                n_caught += part.run(Path(name), show)
                n_faults += len(part.FAULTS)
            else:
                show(f"{title} is skipped; to run it: {install(title.lower())}")
            show("")
    show(f"{n_caught} of {n_faults} faults caught", "good" if n_caught == n_faults else "bad")
    show("Next, with a model of yours: safeload check FOLDER")
    return n_caught == n_faults
