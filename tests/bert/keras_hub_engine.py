"""Load with KerasHub on the framework that KERAS_BACKEND names, and write what came of it: `keras_hub_engine.py FOLDER TARGET`.

FOLDER has a BERT in the folder of each form's name, and `inputs.npz`.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

import keras
import keras_hub
import numpy as np

import safeload
from safeload.errors import BackendError


def load(folder, **options):
    return safeload.load_bert(folder, backend="keras-hub", **options)


def values_of(model):
    return {each.path: keras.ops.convert_to_numpy(each.value).copy() for each in model.weights}


def is_equal(one, two):
    return one.keys() == two.keys() and all(np.array_equal(one[name], two[name]) for name in one)


def outputs_of(model, inputs):
    names = ["embeddings_dropout", *(f"transformer_layer_{number}" for number in range(model.num_layers))]
    layers = keras.Model(model.inputs, [model.get_layer(name).output for name in names])(inputs)
    found = {f"hidden_{number}": each for number, each in enumerate(layers)}
    return {name: keras.ops.convert_to_numpy(each) for name, each in {**found, **model(inputs)}.items()}


def save(model, target):
    """Save a model in each way, and return in which it comes back; through KerasHub's own loader too."""
    wanted, back = values_of(model), {}
    for name, options in {"preset": {}, "sharded": {"max_shard_size": 4_000 / 1024**3}}.items():
        model.save_to_preset(str(target / name), **options)
        back[name] = is_equal(values_of(load(target / name)), wanted)
        back[f"{name} by KerasHub"] = is_equal(
            values_of(keras_hub.models.BertBackbone.from_preset(str(target / name))), wanted
        )
    return back


def train(model, inputs):
    """Return how many variables one step changes, and whether each is finite."""
    before = values_of(model)
    classifier = keras.Model(model.inputs, keras.layers.Dense(1)(model.output["pooled_output"]))
    classifier.compile("sgd", "mse")
    classifier.fit(inputs, np.ones((len(inputs["token_ids"]), 1)), batch_size=1, verbose=0)
    after = values_of(model)
    finite = all(np.isfinite(each).all() for each in after.values())
    return [sum(not np.array_equal(before[name], after[name]) for name in before), finite]


def contexts():
    """Return the contexts of a caller in which a load gives the same variables."""
    found = {"device": keras.device("cpu"), "scope": keras.name_scope("transformer_layer_0")}
    if keras.config.backend() == "torch":
        import torch

        found |= {"no_grad": torch.no_grad(), "inference_mode": torch.inference_mode(), "meta": torch.device("meta")}
    return found


def loaded_in(context, folder, wanted):
    with context:
        found = values_of(load(folder))
    return all(np.array_equal(each, values) for each, values in zip(found.values(), wanted.values(), strict=True))


def main():
    folder, target = map(Path, sys.argv[1:])
    inputs = dict(np.load(folder / "inputs.npz"))
    model = load(folder / "tensorflow")
    wanted = values_of(model)
    np.savez(target / "outputs.npz", **outputs_of(model, inputs))
    np.savez(target / "values.npz", **wanted)
    told = {"engine": keras.config.backend(), "versions": dict(safeload.report_of(model).versions)}
    told["forms"] = {}
    for form in ("safetensors", "hdf5/keras-bert"):
        activation = "gelu_tanh" if form == "safetensors" else None
        told["forms"][form] = is_equal(values_of(load(folder / form, activation=activation)), wanted)
    told["saved"] = save(model, target)
    told["contexts"] = {name: loaded_in(context, folder / "tensorflow", wanted) for name, context in contexts().items()}
    with contextlib.suppress(BackendError), keras.StatelessScope():
        load(folder / "tensorflow")
        told["contexts"]["StatelessScope"] = False
    told["trained"] = train(model, inputs)
    told["modules"] = sorted({"keras_bert", "tf_keras"} & set(sys.modules))
    (target / "told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
