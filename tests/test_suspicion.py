"""Values that no training leaves: each kind warns once, with the names, in a check and a load; trained models never do."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

import safeload
from safeload import testing
from safeload._model_kind import Request
from safeload._steps import check
from safeload.bert._arguments import build_options
from safeload.bert._model import bert as bert_kind
from safeload.elmo._model import elmo as elmo_kind
from tests.checkpoints import PREFIX, bert_tensors, write_checkpoint
from tests.command_line import safeload_cli
from tests.elmos import OPTIONS, WEIGHTS_NAME, random_datasets, write_elmo

WORD, POSITION = "bert/embeddings/word_embeddings", "bert/embeddings/position_embeddings"
NORM, LAYER = "bert/embeddings/LayerNorm", "bert/encoder/layer_0"
QUERY = f"{LAYER}/attention/self/query/kernel"
HEAD = "cls/predictions"
SEGMENTS = "bert/embeddings/token_type_embeddings"
GAMMAS = [f"{name}/gamma" for name in (NORM, f"{LAYER}/attention/output/LayerNorm", f"{LAYER}/output/LayerNorm")]
IN_HEAD = [f"{HEAD}/{name}" for name in ("output_bias", "transform/dense/bias", "transform/LayerNorm/gamma")]


def filled(**values):
    """Return a change that fills variables with a value, or with values that broadcast."""

    def change(tensors):
        for name, value in values.items():
            tensors[name][...] = value

    return change


def initialised(tensors):
    """Give every variable the value that Google's BERT starts from; tables and kernels are random there too."""
    for name, values in tensors.items():
        if values.ndim == 1:
            values[...] = name.endswith("gamma")


def same_rows(name):
    return lambda tensors: filled(**{name: tensors[name][3].copy()})(tensors)


def even_rows(name):
    return lambda tensors: filled(**{name: tensors[name][:, :1].copy()})(tensors)


SUSPICIOUS = {
    "ones": (
        filled(**{f"{NORM}/gamma": 1, f"{NORM}/beta": 0}),
        [f"1 LayerNorm was never trained (gamma all ones, beta all zeros): {NORM}/gamma"],
    ),
    "zeros": (filled(**{f"{NORM}/gamma": 0}), [f"all values are 0 in 1 gamma of a LayerNorm: {NORM}/gamma"]),
    "two_gammas_of_zeros": (
        filled(**{f"{NORM}/gamma": 0, f"{NORM}/beta": 0, f"{LAYER}/output/LayerNorm/gamma": 0}),
        [f"all values are 0 in 2 gammas of a LayerNorm: {NORM}/gamma, {LAYER}/output/LayerNorm/gamma"],
    ),
    "kernel": (filled(**{QUERY: 0.02}), [f"all values are equal in 1 variable: {QUERY}"]),
    "tables": (
        filled(**{WORD: 0, POSITION: 0, SEGMENTS: -1, QUERY: 3, f"{LAYER}/output/dense/kernel": 0}),
        [f"all values are equal in 5 variables: {WORD}, {POSITION}, {SEGMENTS} and 2 more"],
    ),
    "same_rows": (same_rows(WORD), [f"all rows are equal in {WORD}"]),
    "even_rows": (even_rows(WORD), [f"all values of each row are equal in {WORD}"]),
    "same_positions": (same_rows(POSITION), [f"all rows are equal in {POSITION}"]),
    "large": (
        lambda tensors: (tensors[WORD].__setitem__((2, 3), 1000.5), tensors[f"{NORM}/beta"].__setitem__(1, -3.4e5)),
        [f"values are beyond 1,000 in magnitude, up to 340,000, in 2 variables: {NORM}/beta, {WORD}"],
    ),
    "new_model": (
        initialised,
        [
            f"5 LayerNorms were never trained (gamma all ones, beta all zeros): {', '.join(GAMMAS)} and 2 more",
            f"the MLM head was never trained (it has its initial values): {', '.join(IN_HEAD)} and 1 more",
        ],
    ),
    "several": (
        filled(**{f"{NORM}/gamma": 0, QUERY: 1e4, WORD: np.arange(30)[:, None]}),
        [
            f"all values are 0 in 1 gamma of a LayerNorm: {NORM}/gamma",
            f"all values are equal in 1 variable: {QUERY}",
            f"all values of each row are equal in {WORD}",
            f"values are beyond 1,000 in magnitude, up to 10,000, in 1 variable: {QUERY}",
        ],
    ),
}


def report_of(folder, *, keep_values, training=True):
    kind = bert_kind(build_options(training=training, seq_len=None))
    return check(kind, Request(config=folder), keep_values=keep_values).report


def suspicious(change):
    tensors = bert_tensors()
    change(tensors)
    return tensors


@pytest.mark.parametrize("keep_values", [False, True])
@pytest.mark.parametrize(("change", "expected"), SUSPICIOUS.values(), ids=SUSPICIOUS)
def test_what_no_training_leaves_is_named(bert, change, expected, keep_values):
    testing.write_checkpoint(bert / PREFIX, suspicious(change))

    assert list(report_of(bert, keep_values=keep_values).warnings) == expected


SOUND = {
    "ones_with_a_beta": filled(**{f"{NORM}/gamma": 1}),
    "a_beta_of_zeros": filled(**{f"{NORM}/beta": 0}),
    "biases_of_zeros": lambda tensors: filled(**{name: 0 for name in tensors if name.endswith("bias")})(tensors),
    "one_head_bias": filled(**{f"{HEAD}/output_bias": 0, f"{HEAD}/transform/dense/bias": 0}),
    "padding_row": lambda tensors: tensors[WORD].__setitem__(0, 0),
    "unused_positions": lambda tensors: tensors[POSITION].__setitem__(slice(5, None), 0),
    "equal_segments": lambda tensors: tensors[SEGMENTS].__setitem__(1, tensors[SEGMENTS][0]),
    "at_the_limit": lambda tensors: tensors[WORD].__setitem__((2, 3), -1000),
    "equal_columns": lambda tensors: filled(**{QUERY: tensors[QUERY][:, :1].copy()})(tensors),
}


@pytest.mark.parametrize("keep_values", [False, True])
@pytest.mark.parametrize("change", SOUND.values(), ids=SOUND)
def test_what_a_trained_model_may_have_is_no_warning(bert, change, keep_values):
    testing.write_checkpoint(bert / PREFIX, suspicious(change))

    assert report_of(bert, keep_values=keep_values).warnings == ()


def test_the_head_does_not_count_where_it_is_not_read(bert):
    testing.write_checkpoint(bert / PREFIX, suspicious(initialised))
    (warning,) = report_of(bert, keep_values=False, training=False).warnings

    assert warning.startswith("5 LayerNorms were never trained")


@pytest.mark.parametrize("call", [safeload.check_bert, safeload.load_bert])
def test_a_call_warns_once_at_its_own_line(bert, call):
    if call is safeload.load_bert:
        pytest.importorskip("keras_bert")
    testing.write_checkpoint(bert / PREFIX, suspicious(initialised))
    with pytest.warns(safeload.SafeLoadWarning, match="was never trained") as caught:
        call(bert, training=True)

    assert [each.filename for each in caught if each.category is safeload.SafeLoadWarning] == [__file__]
    with pytest.raises(safeload.SafeLoadWarning):  # pytest's filter makes it an error
        call(bert, training=True)


def test_strict_makes_it_a_failure(bert):
    testing.write_checkpoint(bert / PREFIX, suspicious(filled(**{QUERY: 0})))
    sentence = f"all values are equal in 1 variable: {QUERY}"

    assert f"warning: {sentence}" in safeload_cli("check", "bert", bert).stdout
    found = json.loads(safeload_cli("check", "bert", bert, "--strict", "--json", code=1).stdout)
    assert found["models"][0]["report"]["warnings"] == [sentence]


def test_names_are_those_in_the_file(bert):
    tensors = {f"module/{name}": values for name, values in suspicious(filled(**{QUERY: 0})).items()}
    testing.write_checkpoint(bert / PREFIX, tensors)

    assert report_of(bert, keep_values=False).warnings == (f"all values are equal in 1 variable: module/{QUERY}",)


@pytest.mark.parametrize("keep_values", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_every_type_is_looked_at(bert, dtype, keep_values):
    tf = pytest.importorskip("tensorflow")
    change, expected = SUSPICIOUS["several"]
    write_checkpoint(bert / PREFIX, {name: tf.cast(values, dtype) for name, values in suspicious(change).items()})
    in_type = "9,984" if dtype == "bfloat16" else "10,000"

    assert list(report_of(bert, keep_values=keep_values).warnings) == [
        text.replace("10,000", in_type) for text in expected
    ]


@pytest.mark.parametrize("keep_values", [False, True])
@pytest.mark.parametrize("cut", ["rows", "columns"])
def test_a_variable_in_parts_is_looked_at_as_a_whole(bert, cut, keep_values):
    tf = pytest.importorskip("tensorflow")
    changes = {"same_rows": same_rows(WORD), "even_rows": even_rows(WORD), "zeros": filled(**{WORD: 0})}
    said = {}
    for kind, change in changes.items():
        tensors = suspicious(change)
        word = tensors.pop(WORD)
        parts = [("30 16 0,7:-", word[:7]), ("30 16 7,23:-", word[7:])]
        if cut == "columns":
            parts = [("30 16 -:0,5", word[:, :5]), ("30 16 -:5,11", word[:, 5:])]
        tf.raw_ops.SaveV2(
            prefix=str(bert / PREFIX),
            tensor_names=[*tensors, WORD, WORD],
            shape_and_slices=[*[""] * len(tensors), *(text for text, _ in parts)],
            tensors=[*tensors.values(), *(values for _, values in parts)],
        )
        said[kind] = report_of(bert, keep_values=keep_values).warnings

    assert said == {
        "same_rows": (f"all rows are equal in {WORD}",),
        "even_rows": (f"all values of each row are equal in {WORD}",),
        "zeros": (f"all values are equal in 1 variable: {WORD}",),
    }


CELL = "RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell"
ELMO = {
    "kernel": (filled(**{f"{CELL}/W_0": 0}), [f"all values are equal in 1 dataset: {CELL}/W_0"]),
    "filter": (filled(**{"CNN/W_cnn_1": 0.5}), ["all values are equal in 1 dataset: CNN/W_cnn_1"]),
    "characters": (filled(char_embed=0), ["all values are equal in 1 dataset: char_embed"]),
    "same_characters": (same_rows("char_embed"), ["all rows are equal in char_embed"]),
    "large": (
        lambda tensors: tensors[f"{CELL}/B"].__setitem__(0, -2e3),
        [f"values are beyond 1,000 in magnitude, up to 2,000, in 1 dataset: {CELL}/B"],
    ),
    "biases": (filled(**{f"{CELL}/B": 0, "CNN_high_0/b_carry": -2, "CNN_proj/b_proj": 0}), []),
    "unused_characters": (lambda tensors: tensors["char_embed"].__setitem__(slice(200, None), 0), []),
}


@pytest.mark.parametrize("keep_values", [False, True])
@pytest.mark.parametrize("packed", [{}, {"compression": "gzip"}], ids=["plain", "packed"])
@pytest.mark.parametrize(("change", "expected"), ELMO.values(), ids=ELMO)
def test_an_elmo_is_looked_at_too(tmp_path, change, expected, packed, keep_values):
    write_elmo(tmp_path, OPTIONS)
    datasets = random_datasets(OPTIONS)
    change(datasets)
    with h5py.File(tmp_path / WEIGHTS_NAME, "w") as file:
        for name, values in datasets.items():
            file.create_dataset(name, data=values, **(packed if values.ndim > 1 else {}))

    report = check(elmo_kind(None), Request(config=tmp_path), keep_values=keep_values).report
    assert list(report.warnings) == expected


@pytest.mark.parametrize("keep_values", [False, True])
def test_the_testing_kit_s_models_never_warn(tmp_path, keep_values):
    testing.write_bert_checkpoint(tmp_path / "a", slots=True, shards=3, seed=7)
    testing.write_bert_checkpoint(
        tmp_path / "b", layers=1, hidden=2, attention_heads=1, intermediate=1, vocab=10, positions=1
    )
    testing.write_elmo(tmp_path / "c", layers=1, dim=1, projection=1, char_dim=1, filters=[[1, 1]], highways=1)

    assert report_of(tmp_path / "a", keep_values=keep_values).warnings == ()
    assert report_of(tmp_path / "b", keep_values=keep_values).warnings == ()
    assert check(elmo_kind(None), Request(config=tmp_path / "c"), keep_values=keep_values).report.warnings == ()
