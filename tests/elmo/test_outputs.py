"""What an ELMo computes is saved, and a model that computes something else is found, with the real runtimes."""

from __future__ import annotations

import copy
import json
import shutil

import numpy as np
import pytest
import torch

import safeload
from safeload import testing
from safeload._outputs.file import MAX_VECTORS
from safeload._outputs.report import BOUND
from safeload.errors import ArgumentError, ConfigError, OutputMismatchError, WrongFileKindError
from tests.elmo.shapes import SENTENCES, each_shape
from tests.elmos import BACKENDS, options, write_elmo

LAYERS = ("characters", "forward layer 0", "backward layer 0", "forward layer 1", "backward layer 1", "sum 0")
each_backend = pytest.mark.parametrize("backend", BACKENDS)
each_runtime = pytest.mark.parametrize("backend", [*BACKENDS, "keras"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return the folder of an ELMo."""
    found = tmp_path_factory.mktemp("outputs") / "elmo"
    return testing.write_elmo(found)


@pytest.fixture(scope="module")
def saved(folder):
    """Return the outputs of that ELMo in torch."""
    file = folder.parent / "elmo.outputs.json"
    report = safeload.save_outputs(load(folder), file)
    assert report.computed == LAYERS
    assert (report.model, report.runtime) == ("ELMo", "torch")
    return file


def load(folder, backend="torch", **arguments):
    return safeload.load_elmo(folder, backend=backend, **arguments)


def evaluated(folder, backend="torch", **arguments):
    return load(folder, backend, **arguments).eval()


def largest(report):
    return max(each.max_abs for each in report.layers if not each.only_in)


@each_runtime
def test_each_runtime_computes_what_torch_saved(backend, folder, saved):
    module = load(folder, backend, expected_outputs=saved)
    report = safeload.report_of(module)

    assert report.files[-1].path == str(saved)
    assert any("6 layers as expected, within 5e-05" in note for note in report.notes)
    assert "outputs" in report.seconds
    if backend != "keras":
        assert module.training  # as AllenNLP leaves it
        module.eval()
    compared = safeload.compare_outputs(module, saved)
    assert compared.runtime == backend
    assert [each.layer for each in compared.layers] == list(LAYERS)
    assert largest(compared) < BOUND / 10


@each_shape
def test_each_shape_is_the_same_in_each_runtime(shape, tmp_path):
    write_elmo(tmp_path, shape)
    file = tmp_path / "outputs.json"
    safeload.save_outputs(load(tmp_path), file)
    for backend in (*BACKENDS, "keras"):
        module = load(tmp_path, backend, dropout=0.0)
        assert largest(safeload.compare_outputs(module, file)) < BOUND / 10


@pytest.mark.parametrize("form", ["hdf5", "tensorflow", "tensorflow/tf-hub", "torch", "torch/model"])
@each_runtime
def test_each_form_computes_the_same(form, backend, saved, tmp_path):
    load(testing.write_elmo(tmp_path / "elmo", form=form), backend, expected_outputs=saved)


def test_an_archive_computes_the_same(saved, tmp_path):
    model = testing.write_elmo(tmp_path / "elmo", form="torch/model")
    load(shutil.make_archive(str(tmp_path / "model"), "gztar", model), expected_outputs=saved)


def cells(module):
    lstm = module._elmo_lstm._elmo_lstm
    return [[getattr(lstm, f"{word}_layer_{number}") for word in ("forward", "backward")] for number in range(2)]


def exchange(one, other):
    values, others = copy.deepcopy(one.state_dict()), copy.deepcopy(other.state_dict())
    one.load_state_dict(others)
    other.load_state_dict(values)


def directions(module):
    for pair in cells(module):
        exchange(*pair)


def order_of_layers(module):
    first, second = cells(module)
    exchange(first[0], second[0])
    exchange(first[1], second[1])


def halves(module):
    """Concatenate the backward direction before the forward one."""
    module._elmo_lstm._elmo_lstm.register_forward_hook(
        lambda _, __, layers: torch.cat(layers.chunk(2, dim=-1)[::-1], dim=-1)
    )


def returned_layers(module):
    module._elmo_lstm._elmo_lstm.register_forward_hook(lambda _, __, layers: layers.flip(0))


def forget_gate_without_1(module):
    cell = cells(module)[0][1]
    dim = len(cell.state_linearity.bias) // 4
    cell.state_linearity.bias[dim : 2 * dim] -= 1


def gates_of_tensorflow(module):
    cell = cells(module)[1][0]
    into, forget, new, out = cell.state_linearity.weight.clone().chunk(4)
    cell.state_linearity.weight.copy_(torch.cat([into, new, forget, out]))


def shifted_characters(module):
    table = module._elmo_lstm._token_embedder._char_embedding_weights
    table.copy_(table.roll(1, 0))


def highway_carries_the_other(module):
    for layer in module._elmo_lstm._token_embedder._highways._layers:
        half = len(layer.bias) // 2
        layer.weight[half:].neg_()
        layer.bias[half:].neg_()


def scaled_sum(module):
    module.scalar_mix_0.gamma.fill_(2)


def normalised_sum(module):
    module.scalar_mix_0.do_layer_norm = True


EQUAL = "softmax of 0, 0, 0, times 1"
CHANGES = {
    "directions": (directions, "forward layer 0", None),
    "order of directions": (
        halves,
        "forward layer 0",
        "forward layer 0 gives what is expected of backward layer 0: layers or directions are exchanged",
    ),
    "order of layers": (order_of_layers, "forward layer 0", None),
    "order of returned layers": (
        returned_layers,
        "forward layer 0",
        "forward layer 0 gives what is expected of forward layer 1: layers or directions are exchanged",
    ),
    "forget gate": (forget_gate_without_1, "backward layer 0", None),
    "order of gates": (gates_of_tensorflow, "forward layer 1", None),
    "characters": (shifted_characters, "characters", None),
    "highway": (highway_carries_the_other, "characters", None),
    "bfloat16": (
        lambda module: module.bfloat16(),
        "characters",
        "dtype is bfloat16, half precision; expected float32",
    ),
    "dropout": (
        lambda module: module.train(),
        "sum 0",
        "the model gives other numbers each time: dropout is left on",
    ),
    "scale of the sum": (scaled_sum, "sum 0", f"sum 0 is softmax of 0, 0, 0, times 2; expected {EQUAL}"),
    "norm of the sum": (normalised_sum, "sum 0", f"sum 0 is {EQUAL} of normalised layers; expected {EQUAL}"),
}


@each_backend
@pytest.mark.parametrize("name", CHANGES)
def test_a_module_that_computes_something_else_is_found(name, backend, folder, saved):
    change, first, cause = CHANGES[name]
    module = evaluated(folder, backend)
    safeload.compare_outputs(module, saved)
    with torch.no_grad():
        change(module)
    error = mismatch(module, saved)

    assert error.first_layer == first
    assert f"the ELMo computes something else than expected, from {first} on: " in error.message
    assert (error.resolved, error.label, error.bound) == (str(saved), "outputs", BOUND)
    assert dict(error.layers)[first] > 20 * BOUND, error
    if cause is None:
        assert error.causes == ()
        assert "no setting that the model has explains it" in error.hints[0]
    else:
        assert len(error.causes) == 1, error
        assert error.causes[0].startswith(cause)


def mismatch(module, file):
    with pytest.raises(OutputMismatchError) as caught:
        safeload.compare_outputs(module, file)
    return caught.value


SETTINGS = {
    "activation": (
        {"char_cnn": {"activation": "tanh"}},
        "characters",
        "char_cnn.activation is tanh; expected relu",
    ),
    "cell_clip": ({"lstm": {"cell_clip": 0.1}}, "forward layer 0", "lstm.cell_clip is 0.1; expected 3"),
    "proj_clip": ({"lstm": {"proj_clip": 0.1}}, "forward layer 0", "lstm.proj_clip is 0.1; expected 3"),
    "no skip connections": (
        {"lstm": {"use_skip_connections": False}},
        "forward layer 1",
        "lstm.use_skip_connections is False; expected True",
    ),
}


@pytest.mark.parametrize("backend", ["torch", "keras"])
@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_that_no_file_proves_is_found(name, backend, folder, saved, tmp_path):
    changed, first, cause = SETTINGS[name]
    copied = shutil.copytree(folder, tmp_path / "elmo")
    (copied / "options.json").write_text(json.dumps(options(**changed)))
    with pytest.raises(OutputMismatchError) as caught:
        load(copied, backend, expected_outputs=saved)

    assert (caught.value.first_layer, caught.value.causes) == (first, (cause,))


@each_runtime
def test_state_and_mode_are_as_they_were(backend, folder, tmp_path):
    ids = safeload.character_ids(SENTENCES)
    module, other = (load(folder, backend, dropout=0.0, stateful=True) for _ in range(2))

    def vectors(of):
        found = of(ids.numpy().astype("int32")) if backend == "keras" else of(ids)["elmo_representations"][0]
        return np.asarray(found if backend == "keras" else found.detach())

    np.testing.assert_array_equal(vectors(module), vectors(other))
    if backend != "keras":
        module._elmo_lstm.eval()
    modes = [] if backend == "keras" else [each.training for each in module.modules()]
    first = safeload.save_outputs(module, tmp_path / "first.json")
    fresh = safeload.save_outputs(load(folder, backend), tmp_path / "fresh.json")

    np.testing.assert_array_equal(vectors(module), vectors(other))
    assert first.layers == fresh.layers == ()
    assert (tmp_path / "first.json").read_bytes() == (tmp_path / "fresh.json").read_bytes()
    if backend != "keras":
        assert modes == [each.training for each in module.modules()]
        assert not module._elmo_lstm.training
        assert module.training


OTHER_OPTIONS = {
    "several sums": {"num_output_representations": 3},
    "marks": {"keep_sentence_boundaries": True},
    "trained": {"requires_grad": True},
    "no state": {"stateful": False},
    "cached words": {"vocab_to_cache": ["@@PADDING@@", "fox"]},
}


@each_backend
@pytest.mark.parametrize("arguments", OTHER_OPTIONS.values(), ids=OTHER_OPTIONS)
def test_a_load_with_other_options_computes_the_same(arguments, backend, folder, saved):
    module = load(folder, backend, expected_outputs=saved, **arguments)
    assert any("6 layers as expected" in note for note in safeload.report_of(module).notes)


@each_runtime
@pytest.mark.parametrize("arguments", [{"do_layer_norm": True}, {"scalar_mix_parameters": [0, 0, 1]}])
def test_a_sum_that_the_call_gives_other_weights_is_not_compared(arguments, backend, folder, saved):
    module = load(folder, backend, expected_outputs=saved, **arguments)
    notes = safeload.report_of(module).notes

    assert any("5 layers as expected" in note for note in notes)
    assert "sum 0 is not compared: the load gave it other weights than expected" in notes


@each_runtime
def test_a_sum_that_is_stored_is_compared(backend, tmp_path):
    folder, file = testing.write_elmo(tmp_path / "elmo", form="tensorflow/tf-hub"), tmp_path / "outputs.json"
    safeload.save_outputs(load(folder, scalar_mix_parameters="stored"), file)
    module = load(folder, backend, scalar_mix_parameters="stored", expected_outputs=file)
    assert any("6 layers as expected" in note for note in safeload.report_of(module).notes)

    found = json.loads(file.read_text())
    assert found["settings"]["sum 0"] == "softmax of -0.5, -0.125, 0.25, times 1.5"
    found["settings"]["sum 0"] = EQUAL
    found["layers"]["sum 0"][0][0] += 1
    file.write_text(json.dumps(found))
    with pytest.raises(OutputMismatchError) as caught:
        load(folder, backend, scalar_mix_parameters="stored", expected_outputs=file)
    assert caught.value.first_layer == "sum 0"


def test_other_sizes_are_found_before_the_model_is_built(saved, tmp_path, monkeypatch):
    from safeload.elmo.builders import torch as builder

    monkeypatch.setattr(builder, "build", lambda *_: pytest.fail("the model is built"))
    other = testing.write_elmo(tmp_path / "other", layers=1)
    with pytest.raises(OutputMismatchError) as caught:
        load(other, expected_outputs=saved)

    assert caught.value.first_layer == "sizes"
    assert "SIZE       lstm.n_layers" in str(caught.value)
    assert "expected 2, found 1" in str(caught.value)


@each_backend
def test_modules_that_safeload_did_not_build_are_compared(backend, folder, saved, tmp_path):
    module = evaluated(folder, backend)
    report = safeload.compare_outputs(module._elmo_lstm, saved)

    assert [each.layer for each in report.layers if each.only_in] == ["sum 0"]
    assert safeload.save_outputs(module._elmo_lstm, tmp_path / "x.json").computed == LAYERS[:-1]
    if backend == "allennlp":
        from allennlp.modules.elmo import Elmo

        theirs = Elmo(str(folder / "options.json"), str(folder / "weights.hdf5"), 1).eval()
        assert largest(safeload.compare_outputs(theirs, saved)) < BOUND / 10


def test_the_file_is_small_and_holds_the_words_and_the_settings(saved):
    found = json.loads(saved.read_text(encoding="utf-8"))

    assert saved.stat().st_size < 10_000
    assert (found["model"], found["vocabulary"]) == ("ELMo", None)
    assert [len(row) for row in found["inputs"]["words"]] == [5, 3, 1]
    assert {
        "lstm.n_layers": 2,
        "char_cnn.activation": "relu",
        "lstm.cell_clip": 3.0,
        "lstm.use_skip_connections": True,
        "dtype": "float32",
        "sum 0": EQUAL,
    }.items() <= found["settings"].items()
    assert {name: len(rows) for name, rows in found["layers"].items()} == dict.fromkeys(LAYERS, 5 + 3 + 1 + 2 * 3)


def test_half_precision_is_not_saved(folder, tmp_path):
    with pytest.raises(ArgumentError, match="the model computes in bfloat16"):
        safeload.save_outputs(load(folder).bfloat16(), tmp_path / "outputs.json")
    assert not (tmp_path / "outputs.json").exists()


BAD_WORDS = {
    "none": {},
    "numbers": {"words": [[1]]},
    "two words in one": {"words": [["a b"]]},
    "an empty word": {"words": [[""]]},
    "more with the padding": {"words": [["a"] * 65, *[["a"]] * (MAX_VECTORS // 65 + 1)]},
    "tokens": {"tokens": [[1]], "segments": [[0]]},
}


@pytest.mark.parametrize("inputs", BAD_WORDS.values(), ids=BAD_WORDS)
def test_inputs_that_are_no_words_are_said(inputs, folder, saved, tmp_path):
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps({**json.loads(saved.read_text()), "inputs": inputs}))
    with pytest.raises(ConfigError) as caught:
        load(folder, expected_outputs=file)
    assert [problem.key for problem in caught.value.problems] == ["inputs.words"]


def test_the_outputs_of_a_bert_are_of_another_model(folder, saved, tmp_path):
    file = tmp_path / "bert.json"
    file.write_text(json.dumps({**json.loads(saved.read_text()), "model": "BERT"}))
    with pytest.raises(WrongFileKindError):
        load(folder, expected_outputs=file)
    with pytest.raises(WrongFileKindError):
        safeload.compare_outputs(load(folder), file)


def test_a_vocabulary_is_of_a_bert(folder, tmp_path):
    with pytest.raises(ArgumentError, match="vocab_file must be None for an ELMo") as caught:
        safeload.save_outputs(load(folder), tmp_path / "x.json", vocab_file="vocab.txt")
    assert caught.value.argument == "vocab_file"
