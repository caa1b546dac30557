"""Load a BERT under a distribution strategy: each replica's copy of each variable is filled, and proven.

    python examples/strategy_scope.py [FOLDER]

FOLDER holds a published BERT; without it a tiny one is written first. Two virtual devices stand for two GPUs.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

import safeload


def main(folder: Path) -> None:
    """Load on two devices, and compare the copies of a variable."""
    device = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        model = safeload.load_bert(folder)
    copies = strategy.experimental_local_results(model.get_layer("Embedding-Token").weights[0])
    same = all(np.array_equal(copy.numpy(), copies[0].numpy()) for copy in copies)
    print(f"{len(copies)} replicas, equal: {same}")
    print(safeload.report_of(model).headline())


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        from safeload.testing import write_bert_checkpoint

        with tempfile.TemporaryDirectory() as name:
            write_bert_checkpoint(name)
            main(Path(name))
