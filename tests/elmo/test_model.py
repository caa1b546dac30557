"""An ELMo's first four steps together: what a check says, what a load fills, and which weights are another model's."""

from __future__ import annotations

import json
import sys

import h5py
import numpy as np
import pytest

import safeload
from safeload._model_kind import Request
from safeload._steps import check
from safeload.elmo._arguments import elmo_arguments
from safeload.elmo._model import elmo as elmo_kind
from safeload.elmo._model import recognise
from safeload.errors import ArgumentError, VariableMismatchError, WrongFileKindError
from tests.elmos import OPTIONS_NAME, WEIGHTS_NAME, options
from tests.opened import opened_hdf5


def test_a_check_says_all_that_it_found(tiny_elmo):
    report = safeload.check_elmo(tiny_elmo)

    assert (report.model, report.noun, report.scope, report.backend) == ("ELMo", "datasets", "", "")
    assert [file.role for file in report.files] == ["options", "weight"]
    assert report.checksums.startswith("none: HDF5 stores no checksums")
    assert report.taken_from_config == {
        "activation": "relu",
        "cell_clip": 3,
        "proj_clip": 3,
        "use_skip_connections": True,
    }
    assert (report.unused, report.ignored, report.notes, report.problems) == ({}, (), (), ())
    assert list(report.seconds) == ["resolve", "read", "list", "compare"]
    assert report.versions == {
        "python": ".".join(map(str, sys.version_info[:3])),
        "safeload": safeload.__version__,
        "numpy": np.__version__,
        "h5py": h5py.__version__,
    }


def test_the_values_that_are_filled_are_those_of_the_file(tiny_elmo):
    arguments = elmo_arguments(
        num_output_representations=1, requires_grad=False, do_layer_norm=False, dropout=0.5, vocab_to_cache=["a"],
        keep_sentence_boundaries=False, scalar_mix_parameters=None, backend="torch",
    )  # fmt: skip
    checked = check(elmo_kind(arguments), Request(config=tiny_elmo), keep_values=True)

    with h5py.File(tiny_elmo / WEIGHTS_NAME) as file:
        for name in (spec.name for spec in checked.report.read):
            np.testing.assert_array_equal(checked.values[name], file[name][...])
    assert len(checked.report.notes) == 1
    assert check(elmo_kind(None), Request(config=tiny_elmo), keep_values=False).values == {}


def test_a_mismatch_has_its_report(elmo):
    (elmo / OPTIONS_NAME).write_text(json.dumps(options(lstm={"n_layers": 3})))
    with pytest.raises(VariableMismatchError) as caught:
        safeload.check_elmo(elmo)
    report = caught.value.report

    assert (report.model, report.noun, report.given) == ("ELMo", "datasets", str(elmo))
    assert {problem.kind for problem in report.problems} == {"missing"}
    assert len(report.problems) == 6
    assert caught.value.context == (("options", str(elmo / OPTIONS_NAME)),)


def test_a_file_without_any_dataset_is_told(elmo):
    h5py.File(elmo / WEIGHTS_NAME, "w").close()
    with pytest.raises(VariableMismatchError) as caught:
        safeload.check_elmo(elmo)

    assert caught.value.hints == ("the file contains no datasets",)


def test_patterns_have_an_example_of_a_dataset_s_name(tiny_elmo):
    with pytest.raises(ArgumentError) as caught:
        safeload.check_elmo(tiny_elmo, ignore_unused="x")
    assert "'RNN_*'" in caught.value.hints[0]


def test_a_report_is_text_and_json(tiny_elmo):
    report = safeload.report_of(safeload.load_elmo(tiny_elmo, backend="torch"))
    lines = str(report).splitlines()

    assert lines[0] == "ELMo: 29 datasets read and verified, 0 unused"
    assert "  backend:     torch" in lines
    assert "  from config: activation=relu, cell_clip=3, proj_clip=3, use_skip_connections=True" in lines
    assert json.loads(json.dumps(report.to_dict()))["model"] == "ELMo"
    assert {"resolve", "read", "list", "compare", "import", "build"} == set(report.seconds)
    assert {"torch", "h5py", "numpy", "safeload", "python"} == set(report.versions)


COMPUTED, WORDS, KERAS, KERAS_WEIGHTS = (
    "a file of computed embeddings",
    "the weights of a word-level biLM",
    "a model saved by Keras",
    "weights saved by Keras",
)


@pytest.mark.parametrize(
    ("datasets", "groups", "what"),
    [
        (["0", "1", "12"], [], COMPUTED),
        (["0/vectors"], ["0"], COMPUTED),
        (["sentence_to_index", "x"], [], COMPUTED),
        (["0", "char_embed"], [], None),
        ([], [], None),
        (["embedding", "RNN_0/x", "softmax/W"], [], WORDS),
        (["embedding", "RNN_0/x", "char_embed"], [], None),
        (["embedding", "CNN/x"], [], None),
        (["RNN_0/x", "CNN/x"], [], None),
        (["x"], ["model_weights"], KERAS),
        *(
            (["x"], [name], KERAS_WEIGHTS)
            for name in (
                "layer_names", "optimizer_weights", "top_level_model_weights",
                "_layer_checkpoint_dependencies", "layers",
            )
        ),
        (["layers/dense/vars/0"], [], KERAS_WEIGHTS),
    ],
    ids=str,
)  # fmt: skip
def test_another_kind_of_weights_is_known_by_its_names(datasets, groups, what, tmp_path):
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        for name in groups:
            file.create_group(name)
        for name in datasets:
            file[name] = np.ones(3, "f4")

    with opened_hdf5(tmp_path / "w.hdf5") as weights:
        if what is None:
            naming, scope, others = recognise(weights)
            assert (naming.id, scope, others) == ("hdf5", "", {})
        else:
            with pytest.raises(WrongFileKindError) as caught:
                recognise(weights)
            assert (caught.value.found, caught.value.wanted) == (what, "the weights of a character-level biLM")
            assert (caught.value.resolved, caught.value.label) == (str(tmp_path / "w.hdf5"), "weight")
            assert caught.value.hints
