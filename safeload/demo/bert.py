"""Load a tiny BERT by every form of its path, then broken copies of it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from safeload import testing
from safeload._reports import report_of
from safeload.bert import load_bert
from safeload.demo._show import show_faults, show_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from safeload.demo._show import Show

NAME = "bert_model.ckpt"
SHARD = f"{NAME}.data-00000-of-00001"


def run(folder: Path, show: Show) -> int:
    """Run the BERT demo in a folder, and return how many of `FAULTS` were caught."""
    folder = folder / "uncased_tiny"
    testing.write_bert_checkpoint(folder)
    show_files("A tiny BERT, in the bytes that TensorFlow would write:", folder, show)
    show_forms(folder, show)
    return show_faults(folder, FAULTS, lambda broken: load_bert(broken, broken / NAME), show)


def show_forms(folder: Path, show: Show) -> None:
    """Load the checkpoint by each form of its path, and compare the outputs."""
    import numpy as np  # noqa: PLC0415  (not for `safeload --help`)

    show("\nEvery form of its path loads the same model:")
    prefix = folder / NAME
    inputs = [np.array([[2, 7, 8, 3, *([0] * 16)]]), np.zeros((1, 20))]
    first = None
    for given in (prefix, f"{prefix}.index", folder / SHARD, f"{prefix}.meta", folder):
        model = load_bert(folder, given)
        report = report_of(model)
        output = model(inputs).numpy()
        first = output if first is None else first
        same = "equal outputs" if np.array_equal(first, output) else "DIFFERENT OUTPUTS"
        show(f"  {Path(given).name:<36} {report.place:<28} {len(report.read)} variables, {same}")
    show(f"\nThe report of the last one:\n{report}")


FAULTS: tuple[tuple[str, Callable[[Path], object]], ...] = (
    ("the data shard was never copied", testing.remove_file),
    ("the download was cut off", testing.truncate),
    ("one bit of the weights flipped", testing.flip_bit),
    ("the repository was cloned without Git LFS", testing.as_lfs_pointer),
    (
        "the config is of another vocabulary and has one layer fewer",
        partial(testing.edit_config, vocab_size=31, num_hidden_layers=1),
    ),
    ("the config says 5 attention heads", partial(testing.edit_config, num_attention_heads=5)),
)
