"""The hints of a weight file that does not fit: each where its facts are, and nowhere else."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from safeload._fit import check_weights
from safeload._forms.weight_file import WeightPlace
from safeload._model_kind import Clock
from safeload.elmo._model import elmo
from safeload.elmo._options import validate_options
from safeload.elmo._parameters import list_parameters
from safeload.errors import VariableMismatchError
from tests.elmos import options, random_datasets
from tests.opened import ref

UNPROJECTED = "W_P_0 is missing: the biLM was trained without projections"
NOTHING = "the file contains no biLM datasets; pass the file of the biLM itself"


def hints_of(tmp_path, datasets, groups=(), **changes):
    read = validate_options(options(**changes), ref("/options.json", "options"))
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        for name in groups:
            file.create_group(name)
        for name, value in datasets.items():
            file[name] = value
    place = WeightPlace(ref=ref(tmp_path / "w.hdf5", "weight"), form="hdf5", place="HDF5 file")
    with pytest.raises(VariableMismatchError) as caught:
        check_weights(elmo(None), read, place, (), Clock(), keep_values=False)
    return list(caught.value.hints)


def some(*parts, **changes):
    return {
        name: value
        for name, value in random_datasets(options(**changes)).items()
        if any(part in name for part in parts)
    }


def without(*parts, **changes):
    return {
        name: value
        for name, value in random_datasets(options(**changes)).items()
        if not any(part in name for part in parts)
    }


def test_a_file_of_something_else_is_called_that(tmp_path):
    others = {name: np.ones(3, "f4") for name in ("d", "c/CNN", "b", "a")}

    assert hints_of(tmp_path, others) == [NOTHING]


@pytest.mark.parametrize("part", ["CNN/", "CNN_proj/", "RNN_0/", "RNN_1/", "char_embed"])
def test_a_part_of_a_bilm_is_a_bilm_s(part, tmp_path):
    assert not any(hint.startswith(NOTHING) for hint in hints_of(tmp_path, some(part)))


def test_another_dataset_alone_is_no_reason_to_say_that_nothing_is_a_bilm_s(tmp_path):
    assert hints_of(tmp_path, {**random_datasets(), "adapter": np.ones(3, "f4")}) == []


@pytest.mark.parametrize(
    ("parts", "hints"),
    [
        (("Cell1",), ['lstm.n_layers is 2 in the options but 1 in the weight file; to load this weight file, set "lstm.n_layers": 1 in /options.json']),
        (("CNN_high_",), ['char_cnn.n_highway is 2 in the options but 0 in the weight file; to load this weight file, set "char_cnn.n_highway": 0 in /options.json']),
        (("cnn_2",), ['char_cnn.filters has 3 entries in the options but 2 in the weight file; to load it, set "char_cnn.filters": [[1, 4], [2, 6]] in /options.json']),
        (("_cnn_",), []),
        (("CNN_proj",), []),
        (("Cell1/LSTMCell/W_P_0",), []),
        (
            ("W_P_0",),
            [f"{UNPROJECTED}; an ELMo needs them: train it with dim larger than projection_dim"],
        ),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_missing_has_its_hint(parts, hints, tmp_path):
    assert hints_of(tmp_path, without(*parts)) == hints


def test_a_bilm_without_projections_of_equal_sizes_has_the_reason(tmp_path):
    lstm = {"dim": 8, "projection_dim": 8}
    (hint,) = hints_of(tmp_path, without("W_P_0", lstm=lstm), lstm=lstm)

    assert ", since dim equals projection_dim; " in hint


def test_filters_that_sum_to_the_projection_have_none(tmp_path):
    lstm = {"projection_dim": 18}
    hint = (
        "CNN_proj is missing: the filters sum to projection_dim, for which bilm-tf trains no projection; ELMo needs it"
    )

    assert hints_of(tmp_path, without("CNN_proj", lstm=lstm), lstm=lstm) == [hint]
    assert hints_of(tmp_path, without("CNN_proj", "Cell1/LSTMCell/B", lstm=lstm), lstm=lstm) == [hint]
    assert hints_of(tmp_path, without("Cell1/LSTMCell/B", lstm=lstm), lstm=lstm) == []


def test_the_first_group_in_a_dataset_s_place_is_named(tmp_path):
    names = ("CNN/b_cnn_0", "CNN/b_cnn_1")

    assert hints_of(tmp_path, without(*names), groups=names) == ["CNN/b_cnn_0 is a group in the file, not a dataset"]


def test_the_types_that_are_stored_are_named(tmp_path):
    half = {name: value.astype("i4") if "B" in name else value for name, value in random_datasets().items()}
    double = {name: value.astype("i8") if "carry" in name else value for name, value in half.items()}

    assert hints_of(tmp_path, double) == ["the file stores int32, int64; save it in float32 or float16"]


def test_a_file_without_datasets_is_called_empty(tmp_path):
    assert hints_of(tmp_path, {}) == ["the file contains no datasets"]


def test_the_release_is_named_whose_sizes_the_file_has(tmp_path):
    lstm = {"dim": 1024, "projection_dim": 128, "n_layers": 2}
    filters = [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]]
    cnn = {"filters": filters, "n_highway": 1, "embedding": {"dim": 16}}
    shapes = list_parameters(validate_options(options(lstm=lstm, char_cnn=cnn), ref("/options.json", "options")))
    stored = {name: np.broadcast_to(np.float32(1), spec.shape) for name, spec in shapes.items()}
    hints = hints_of(
        tmp_path, stored, lstm={**lstm, "dim": 4096, "projection_dim": 512}, char_cnn={**cnn, "n_highway": 2}
    )

    assert hints[-2:] == [
        "the file has the sizes of ELMo small: elmo_2x1024_128_2048cnn_1xhighway; take both files from that release",
        "the options have the sizes of ELMo original and 5.5B: elmo_2x4096_512_2048cnn_2xhighway; take both files from that release",
    ]
