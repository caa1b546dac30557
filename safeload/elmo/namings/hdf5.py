"""Match the names in AllenNLP's HDF5 files, such as `RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_0`.

bilm-tf's `dump_weights` writes these names. They are also the canonical names of the parameters. Of a biLM of one layer, it
leaves out `MultiRNNCell/Cell0`.

Source:
    allenai/bilm-tf, bilm/training.py, dump_weights.
"""

from __future__ import annotations

from safeload.elmo._parameters import CELL
from safeload.elmo.namings._cells import Cells


class Hdf5(Cells):
    """The names in AllenNLP's HDF5 files; these have no scopes."""

    id = "hdf5"
    cell = CELL
    parts = {"W_0": "W_0", "B": "B", "W_P_0": "W_P_0"}  # noqa: RUF012  (the base class declares it)


class Hdf5OneLayer(Hdf5):
    """The names that bilm-tf writes for a biLM of one layer."""

    id = "one-layer"
    only_cell = "RNN_{direction}/RNN/LSTMCell"
