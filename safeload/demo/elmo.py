"""Load a tiny ELMo with every installed backend, then broken copies of it."""

from __future__ import annotations

import importlib.util
from functools import partial
from typing import TYPE_CHECKING

from safeload import testing
from safeload._reports import report_of
from safeload.demo._show import show_faults, show_files
from safeload.elmo import character_ids, load_elmo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from safeload.demo._show import Show

OPTIONS_NAME, WEIGHTS_NAME = "options.json", "weights.hdf5"
SENTENCES = [["A", "good", "film", "."], ["Bad", "."]]


def run(folder: Path, show: Show) -> int:
    """Run the ELMo demo in a folder, and return how many of `FAULTS` were caught."""
    folder = folder / "elmo_tiny"
    testing.write_elmo(folder)
    show_files("h5py wrote a tiny ELMo:", folder, show)
    show_forms(folder, show)
    return show_faults(folder, FAULTS, load_elmo, show)


def show_forms(folder: Path, show: Show) -> None:
    """Load the weights by each form of the call and with each installed backend, and compare the outputs."""
    import torch  # noqa: PLC0415  (not for `safeload --help`)

    show("\nEvery form of the call loads the same module:")
    ids = character_ids(SENTENCES)
    first = None
    backends = ("allennlp", "torch") if importlib.util.find_spec("allennlp") else ("torch",)
    for backend in backends:
        for form, given in (("folder", (folder,)), ("two files", (folder / OPTIONS_NAME, folder / WEIGHTS_NAME))):
            module = load_elmo(*given, backend=backend).eval()
            with torch.no_grad():
                output = module(ids)["elmo_representations"][0]
            first = output if first is None else first
            same = "equal outputs" if torch.allclose(first, output, rtol=0, atol=1e-6) else "DIFFERENT OUTPUTS"
            n_read = len(report_of(module).read)
            show(f"  {form:<12} backend={backend:<10} {n_read} datasets, vectors {tuple(output.shape)}, {same}")
    show(f"\nThe report of the last one:\n{report_of(module)}")


FAULTS: tuple[tuple[str, Callable[[Path], object]], ...] = (
    ("options and weights are exchanged", testing.exchange_files),
    ("the download was cut off", testing.truncate),
    ("the repository was cloned without Git LFS", testing.as_lfs_pointer),
    ("the options have one layer fewer than the file", partial(testing.edit_config, lstm={"n_layers": 1})),
    ("the options are those for training", partial(testing.edit_config, char_cnn={"n_characters": 261})),
    ("one value is NaN", partial(testing.poison, name="CNN_proj/W_proj")),
    ("one dataset was created and never written", partial(testing.leave_unwritten, name="CNN_proj/b_proj")),
)
