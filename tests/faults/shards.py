"""Hostile indexes of HDF5 files, of the catalogue; those of safetensors are with its files."""

from __future__ import annotations

import json
import os

import h5py

from safeload import testing
from tests.faults.bert import Corrupt, Unsafe, Wrong
from tests.faults.fault import Fault

INDEX, SHARD = "tf_model.h5.index.json", "tf_model-00001-of-00001.h5"
OF_KERAS, SHARD_OF_KERAS = "model.weights.json", "model_00000.weights.h5"
GROUP = "/layers/dense/vars"


def of_transformers(change):
    """Write the same BERT in one shard, in place of Google's files, and change the index's map."""

    def spoil(folder):
        in_place_of(folder, "hdf5")
        (folder / "tf_model.h5").rename(folder / SHARD)
        names: list[str] = []
        with h5py.File(folder / SHARD) as file:
            file.visititems(lambda name, each: names.append(name) if isinstance(each, h5py.Dataset) else None)
        weight_map = {f"tf_model/{name}": SHARD for name in names}
        (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": change(weight_map)}))

    return spoil


def of_keras(weight_map, total_size="0"):
    """Write an index of Keras, and a shard with one group, in place of Google's checkpoint."""

    def spoil(folder):
        in_place_of(folder, "keras")
        (folder / "model.keras").unlink()
        for name in (SHARD_OF_KERAS, "model_00001.weights.h5"):
            with h5py.File(folder / name, "w") as file:
                file[f"{GROUP}/0"] = 1.0
        text = f'{{"metadata": {{"total_size": {total_size}}}, "weight_map": {json.dumps(weight_map)}}}'
        (folder / OF_KERAS).write_text(text)

    return spoil


def in_place_of(folder, form):
    for path in folder.iterdir():
        path.unlink()
    testing.write_bert(folder, form=form)


def device(folder):
    """Let the shard be a device that has no end."""
    of_transformers(dict)(folder)
    (folder / SHARD).unlink()
    os.symlink("/dev/zero", folder / SHARD)


def attack(name, what, spoil, error):
    return Fault(model="bert", name=f"shards_{name}", what=what, spoil=spoil, error=error, has_message=False)


FAULTS = [
    attack("lead_up", "the index of an HDF5 model names a file a level up", of_transformers(lambda found: dict.fromkeys(found, f"../{SHARD}")), Unsafe),
    attack("of_one_name", "an index whose tensors have the same name without the model's prefix", of_transformers(lambda found: {**found, **{f"tf_model/{name}": SHARD for name in found}}), Corrupt),
    attack("of_other_names", "an index of 90,000 tensors that no shard has", of_transformers(lambda _: {f"x/{number}:0": SHARD for number in range(90_000)}), Corrupt),
    attack("are_a_device", "a shard is /dev/zero", device, Unsafe),
    attack("of_a_group_lead_up", "one of the files of a group is /etc/passwd", of_keras({GROUP: [SHARD_OF_KERAS, "/etc/passwd"]}), Unsafe),
    attack("of_a_group_are_many", "a group in 100,000 files", of_keras({GROUP: [f"{number}.h5" for number in range(100_000)]}), Unsafe),
    attack("of_a_group_are_none", "a group in no file", of_keras({GROUP: []}), Corrupt),
    attack("of_a_group_are_nested", "a list of files nested 400 deep", of_keras({GROUP: json.loads("[" * 400 + '"x"' + "]" * 400)}), Corrupt),
    attack("hold_one_dataset_twice", "two shards hold the same dataset", of_keras({GROUP: [SHARD_OF_KERAS, "model_00001.weights.h5"]}), Corrupt),
    attack("of_an_endless_size", "a total size of 1e999, which is infinite", of_keras({GROUP: [SHARD_OF_KERAS]}, total_size="1e999"), Corrupt),
    attack("are_the_index", "the index names itself as a shard", of_keras({GROUP: OF_KERAS}), Wrong),
]  # fmt: skip
