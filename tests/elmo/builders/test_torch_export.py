"""What torch exports of an ELMo, read in a process that has no safeload, has the module's outputs for any batch."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import numpy as np
import pytest
import torch

import safeload
from safeload.errors import ArgumentError, BackendError
from tests.elmo.shapes import SENTENCES, SHAPES
from tests.elmos import write_elmo

EXAMPLE = [["Good", "film"], ["Bad", "."], ["One"]]
EXPORTS = hasattr(getattr(torch, "compiler", None), "is_exporting")
HAS_TWO_EXPORTERS = "dynamo" in inspect.signature(torch.onnx.export).parameters

READ = """
import json, sys
import numpy as np

path, folder, n_batches = sys.argv[1:]
if path.endswith(".onnx"):
    import onnxruntime
    session = onnxruntime.InferenceSession(path)
    run = lambda ids: session.run(None, {"ids": ids})
else:
    import torch
    model = torch.jit.load(path) if path.endswith(".pt") else torch.export.load(path).module()
    run = lambda ids: [found.detach().numpy() for found in model(torch.from_numpy(ids))]
for number in range(int(n_batches)):
    vectors, mask = run(np.load(f"{folder}/ids{number}.npy"))
    np.savez(f"{folder}/found{number}.npz", vectors=vectors, mask=mask)
refused = []
for bad in (-1, 262):
    try:
        ids = np.load(f"{folder}/ids0.npy")
        ids[0, 0, 3] = bad
        run(ids)
    except Exception as error:
        refused.append("out of" in str(error) or str(error))
print(json.dumps({"refused": refused, "imported": "safeload" in sys.modules}))
"""


class Vectors(torch.nn.Module):
    """What a script has around an ELMo."""

    def __init__(self, elmo):
        super().__init__()
        self.elmo = elmo

    def forward(self, ids):
        found = self.elmo(ids)
        return (*found["elmo_representations"], found["mask"])


def model_of(folder, **options):
    return Vectors(safeload.load_elmo(folder, backend="torch", stateful=False, **options)).eval()


def batches():
    """Return ids of other sizes than the example's: padding behind, before and between words, and a sentence of none."""
    ids = safeload.character_ids(SENTENCES)
    gaps = ids.clone()
    gaps[0, 0], gaps[2, 3:5] = 0, 0
    gaps[1] = 0
    return [ids, gaps, ids[3:, :1], torch.zeros_like(ids[:2, :3])]


def export(model, path):
    ids = safeload.character_ids(EXAMPLE)
    if path.suffix == ".pt":
        return torch.jit.save(torch.jit.trace(model, (ids,)), str(path))
    if path.name == "traced.onnx":
        axes = {name: {0: "batch", 1: "tokens"} for name in ("ids", "vectors", "mask")}
        names = {"input_names": ["ids"], "output_names": ["vectors", "mask"]}
        return torch.onnx.export(model, (ids,), str(path), dynamo=False, dynamic_axes=axes, opset_version=16, **names)
    sizes = {"ids": {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}}
    if path.suffix == ".onnx":
        return torch.onnx.export(model, (ids,), str(path), dynamo=True, dynamic_shapes=sizes, verbose=False)
    return torch.export.save(torch.export.export(model, (ids,), dynamic_shapes=sizes), path)


@pytest.mark.parametrize("name", ["traced.pt", "exported.pt2", "exported.onnx", "traced.onnx"])
def test_an_exported_elmo_has_the_same_outputs_without_safeload(tiny_elmo, tmp_path, name):
    if name.endswith(".onnx"):
        for package in ("onnxruntime", "onnxscript"):
            pytest.importorskip(package)
    if (name.startswith("exported") and not EXPORTS) or (name == "traced.onnx" and not HAS_TWO_EXPORTERS):
        pytest.skip("this torch has no such exporter")
    model, given = model_of(tiny_elmo), batches()
    export(model, tmp_path / name)
    for number, ids in enumerate(given):
        np.save(tmp_path / f"ids{number}.npy", ids.numpy())
    command = [sys.executable, "-W", "ignore", "-c", READ, tmp_path / name, tmp_path, str(len(given))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"refused": [True, True], "imported": False}
    for number, ids in enumerate(given):
        vectors, mask = (each.detach().numpy() for each in model(ids))
        with np.load(tmp_path / f"found{number}.npz") as found:
            np.testing.assert_array_equal(found["mask"], mask)
            np.testing.assert_allclose(found["vectors"], vectors, atol=1e-6, rtol=0)


def require_equal_outputs(model, example, given):
    traced = torch.jit.trace(model, (example,))
    with torch.no_grad(), torch.jit.optimized_execution(False):  # which torch 1.12 compiles for half a minute
        for ids in given:
            *vectors, mask = traced(ids)
            *wanted, wanted_mask = model(ids)
            assert torch.equal(mask, wanted_mask)
            assert max((ours - theirs).abs().max() for ours, theirs in zip(vectors, wanted, strict=True)) < 1e-6


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_each_shape_of_bilm_can_be_traced(tmp_path, shape):
    write_elmo(tmp_path, shape)

    require_equal_outputs(model_of(tmp_path), safeload.character_ids(EXAMPLE), batches())


@pytest.mark.parametrize(
    "options",
    [
        {"keep_sentence_boundaries": True},
        {"num_output_representations": 2, "do_layer_norm": True},
        {"requires_grad": True},
        {"scalar_mix_parameters": [1.0, -2.0, 0.5]},
    ],
    ids=lambda options: next(iter(options)),
)
def test_an_elmo_of_each_option_can_be_traced(tiny_elmo, options):
    require_equal_outputs(model_of(tiny_elmo, **options), safeload.character_ids(EXAMPLE), batches())


def test_more_dimensions_can_be_traced(tiny_elmo):
    example, ids = safeload.character_ids(EXAMPLE), safeload.character_ids(SENTENCES)

    require_equal_outputs(model_of(tiny_elmo), example.unsqueeze(1), [ids.view(2, 2, 10, 50), ids.int().unsqueeze(0)])


def test_a_trace_has_the_gradients_of_the_module(tiny_elmo):
    model, ids = model_of(tiny_elmo, requires_grad=True), safeload.character_ids(SENTENCES)
    gradients = []
    for each in (model, torch.jit.trace(model, (safeload.character_ids(EXAMPLE),))):
        model.zero_grad()
        with torch.jit.optimized_execution(False):
            (each(ids)[0] ** 2).sum().backward()
        gradients.append([parameter.grad.clone() for parameter in model.parameters()])

    for ours, wanted in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, wanted, atol=1e-5, rtol=1e-5)


EXPORTERS = {"trace": torch.jit.trace}
if EXPORTS:
    EXPORTERS["export"] = torch.export.export


@pytest.mark.parametrize("exporter", EXPORTERS.values(), ids=EXPORTERS)
def test_an_elmo_that_keeps_its_state_is_not_exported(tiny_elmo, exporter):
    model = Vectors(safeload.load_elmo(tiny_elmo, backend="torch")).eval()
    with pytest.raises(ArgumentError) as caught:
        exporter(model, (safeload.character_ids(EXAMPLE),))

    assert caught.value.message == (
        "an ELMo that keeps its state between calls cannot be exported: the graph would hold the state of now"
    )
    assert caught.value.argument == "stateful"
    assert caught.value.hints == ("load it with stateful=False",)


def test_cached_words_are_not_exported(tiny_elmo):
    elmo = safeload.load_elmo(tiny_elmo, backend="torch", stateful=False, vocab_to_cache=["", "film"]).eval()
    words = torch.tensor([[1, 0], [1, 1], [1, 0]])
    with pytest.raises(ArgumentError) as caught:
        torch.jit.trace(elmo, (safeload.character_ids(EXAMPLE), words))

    assert caught.value.message == (
        "word_inputs cannot be exported: whether all words are cached is known only when the graph runs"
    )
    assert caught.value.argument == "word_inputs"
    assert caught.value.hints == ("leave out word_inputs",)


def test_torch_script_is_refused_also_inside_another_module(tiny_elmo):
    with pytest.raises(BackendError) as caught:
        torch.jit.script(model_of(tiny_elmo))

    assert caught.value.message == "torch.jit.script cannot compile an ELMo, whose code is not TorchScript"
    assert caught.value.hints == ("trace it: torch.jit.trace(model, ids)",)
