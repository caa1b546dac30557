"""A BERT's first four steps together: what a check says, what a load fills, and which weights are another model's."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import safeload
from safeload._model_kind import Request
from safeload._naming import Naming
from safeload._steps import check
from safeload.bert import namings
from safeload.bert._arguments import FULL_LENGTH, build_options
from safeload.bert._model import bert as bert_kind
from safeload.bert._model import recognise, require_config_allows
from safeload.errors import AmbiguousCheckpointError, ArgumentError, VariableMismatchError, WrongFileKindError
from safeload.testing import drop_variable, edit_config, write_bert_checkpoint, write_checkpoint
from tests.bert.test_arguments import CONFIG, options
from tests.bert.test_mismatch import ONE, rewritten
from tests.checkpoints import BERT_CONFIG, PREFIX, bert_tensors
from tests.opened import opened_checkpoint


def test_a_check_says_all_that_it_found(tiny_bert):
    report = safeload.check_bert(tiny_bert)

    assert (report.model, report.noun, report.scope, report.backend) == ("BERT", "variables", "bert/", "")
    assert [file.role for file in report.files] == ["config", "vocab", "index", "shard"]
    assert report.checksums == "CRC32C of 37 variables and of the index file"
    assert set(report.taken_from_config) == {"num_attention_heads", "hidden_act"}
    assert (report.ignored, report.notes, report.problems) == ((), (), ())
    assert list(report.seconds) == ["resolve", "read", "list", "compare"]
    assert (report.given, report.place) == (str(tiny_bert), "folder with one checkpoint")
    assert set(report.versions) == {"python", "safeload", "numpy"}
    assert report.versions["python"] == ".".join(map(str, sys.version_info[:3]))


def test_patterns_have_an_example_of_a_variable_s_name(tiny_bert):
    with pytest.raises(ArgumentError) as caught:
        safeload.check_bert(tiny_bert, ignore_unused="x")
    assert "'bert/encoder/layer_*'" in caught.value.hints[0]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("scope", ["", "module/"])
def test_the_values_that_are_filled_are_those_of_the_file(scope, training, tmp_path):
    write_bert_checkpoint(tmp_path / "model", scope=scope)
    kind = bert_kind(build_options(training=training, seq_len=None))
    checked = check(kind, Request(config=tmp_path / "model"), keep_values=True)

    assert list(checked.values) == [spec.name for spec in checked.report.read]
    assert len(checked.values) == (46 if training else 37)
    assert checked.report.scope == f"{scope}bert/"
    with opened_checkpoint(tmp_path / "model" / PREFIX) as file:
        for spec, (name, value) in zip(checked.report.read, checked.values.items(), strict=True):
            assert value.shape == spec.shape
            np.testing.assert_array_equal(value, file.look(scope + name)[0])
    if not scope:
        assert set(checked.values) <= set(bert_tensors())


def test_a_config_with_fewer_positions_fits_where_it_may_be_clipped(bert):
    edit_config(bert, max_position_embeddings=8)
    options_of_all = build_options(training=False, seq_len=None)
    request = Request(config=bert)

    clipped = check(bert_kind(options_of_all, may_be_clipped=True), request, keep_values=False)
    assert clipped.config.max_position_embeddings == 20
    with pytest.raises(VariableMismatchError):
        check(bert_kind(options_of_all), request, keep_values=False)


@pytest.mark.parametrize("scope", ["", "module/"])
def test_a_bert_is_recognised_with_its_scope(scope, tmp_path):
    write_bert_checkpoint(tmp_path, scope=scope)
    with opened_checkpoint(tmp_path / PREFIX) as weights:
        naming, found, others = recognise(weights)

    assert (naming.id, found, others) == ("google", f"{scope}bert/", {})


def test_weights_that_nothing_is_known_of_are_left_to_the_comparison(bert):
    def change(tensors):
        tensors.clear()
        tensors["x"] = ONE

    rewritten(bert, change)
    with opened_checkpoint(bert / PREFIX) as weights:
        assert (recognise(weights)[0].id, recognise(weights)[1]) == ("google", "bert/")


def test_a_bert_without_positions_is_told(bert):
    drop_variable(bert, "bert/embeddings/position_embeddings")
    with pytest.raises(WrongFileKindError) as caught:
        safeload.check_bert(bert)

    assert caught.value.found == "NEZHA, or another BERT without absolute positions"
    assert caught.value.hints == ("load it with a library for NEZHA",)
    assert (caught.value.resolved, caught.value.label) == (str(bert / f"{PREFIX}.index"), "index")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("bert/encoder/transformer/group_0/x", "ALBERT"),
        ("electra/x", "ELECTRA"),
        ("roberta/x", None),
    ],
)
def test_a_model_that_has_bert_s_embeddings_is_told_from_what_else_lies_beside_a_bert(bert, name, found):
    rewritten(bert, lambda tensors: tensors.update({name: ONE}))
    if found is None:
        assert len(safeload.check_bert(bert).read) == 37
    else:
        with pytest.raises(WrongFileKindError) as caught:
            safeload.check_bert(bert)
        assert caught.value.found == found
        assert caught.value.wanted == "the weights of a BERT"
        assert (caught.value.given, caught.value.label) == (bert, "index")


def with_second(folder, first, second):
    """Write a checkpoint with an encoder under each of two scopes; the values of the second are other ones."""
    tensors = bert_tensors()
    found = {}
    for scope, shift in ((first, 0), (second, 1)):
        encoder = {name.removeprefix("bert/"): value for name, value in tensors.items() if name.startswith("bert/")}
        found |= {scope + name: value + np.float32(shift) for name, value in encoder.items()}
    write_checkpoint(
        str(folder / PREFIX), found | {name: value for name, value in tensors.items() if name[:4] == "cls/"}
    )
    return folder


@pytest.mark.parametrize(("scope", "shift"), [("bert/", 0), ("bert", 0), ("bert_1/", 1), ("bert_1", 1)])
def test_a_scope_chooses_an_encoder(bert, scope, shift):
    kind = bert_kind(build_options(training=True, seq_len=None), scope)
    checked = check(kind, Request(config=with_second(bert, "bert/", "bert_1/")), keep_values=True)
    word = "bert/embeddings/word_embeddings"

    assert checked.report.scope == f"{scope.rstrip('/')}/"
    assert checked.report.warnings == ()
    assert len(checked.report.unused["other encoders"]) == 39
    np.testing.assert_array_equal(checked.values[word], bert_tensors()[word] + np.float32(shift))
    np.testing.assert_array_equal(
        checked.values["cls/predictions/output_bias"], bert_tensors()["cls/predictions/output_bias"]
    )


@pytest.mark.parametrize(
    ("scope", "said", "seq_len", "may_be_clipped", "rows", "n_notes"),
    [
        ("bert/", 20, FULL_LENGTH, True, 20, 0),
        ("bert_1/", 20, FULL_LENGTH, True, 40, 0),
        ("bert/", 40, 10, False, 20, 1),
        ("bert_1/", 40, 10, False, 40, 0),
        ("bert_1/", 40, None, False, 40, 0),
    ],
)
def test_each_encoder_has_its_own_number_of_positions(bert, scope, said, seq_len, may_be_clipped, rows, n_notes):
    tensors = {name: value for name, value in bert_tensors().items() if name.startswith("bert/")}
    longer = bert_tensors(BERT_CONFIG | {"max_position_embeddings": 40})
    second = {name.replace("bert/", "bert_1/"): longer[name] for name in tensors}
    write_checkpoint(bert / PREFIX, tensors | second)
    edit_config(bert, max_position_embeddings=said)
    kind = bert_kind(build_options(training=False, seq_len=seq_len), scope, may_be_clipped=may_be_clipped)
    checked = check(kind, Request(config=bert), keep_values=True)

    assert checked.config.max_position_embeddings == rows
    assert checked.values["bert/embeddings/position_embeddings"].shape == (rows, 16)
    assert len(checked.report.notes) == n_notes


def test_of_several_encoders_google_s_is_chosen_with_a_warning(bert):
    with pytest.warns(safeload.SafeLoadWarning, match=r"other encoders, under 'bert_1/'; pass scope") as caught:
        report = safeload.check_bert(with_second(bert, "bert/", "bert_1/"))

    assert (report.scope, len(report.warnings), len(caught)) == ("bert/", 1, 1)
    assert caught[0].filename == __file__


def test_several_encoders_without_google_s_are_ambiguous(bert):
    with pytest.raises(AmbiguousCheckpointError) as caught:
        safeload.check_bert(with_second(bert, "a/", "b/bert/"))

    assert caught.value.candidates == ("a/", "b/bert/")
    assert caught.value.hints == ("pass scope, one of: 'a/', 'b/bert/'",)
    assert safeload.check_bert(bert, scope="b/bert").scope == "b/bert/"


@pytest.mark.parametrize("scope", ["", "bert_2/", "ber", "/bert/", "module/bert"])
def test_a_scope_that_is_not_there_is_a_bad_argument(bert, scope):
    with pytest.raises(ArgumentError) as caught:
        safeload.check_bert(bert, scope=scope)

    assert caught.value.hints == ("the scopes of its encoders are 'bert/'",)


@pytest.mark.parametrize("scope", [1, b"bert/"])
def test_a_scope_is_a_str(bert, scope):
    with pytest.raises(ArgumentError, match="scope must be a str"):
        safeload.check_bert(bert, scope=scope)


def test_an_encoder_without_a_scope_is_read(bert):
    tensors = {name.removeprefix("bert/"): value for name, value in bert_tensors().items()}
    write_checkpoint(str(bert / PREFIX), tensors | {"global_step": np.int64(1)})
    report = safeload.check_bert(bert, training=True)

    assert (report.scope, len(report.read), report.unused) == ("", 46, {"training": ("global_step",)})


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("seq_len", 21, "pass seq_len=20 or less, or leave it out for the full length"),
        ("output_layer_num", 3, "pass 2 or less"),
        ("output_layer_num", [0, 2], "layers are counted from 0; negative numbers count from the end"),
        ("output_layer_num", [-3], "layers are counted from 0; negative numbers count from the end"),
    ],
)
def test_what_the_config_contradicts_is_told_with_its_path(name, value, hint):
    with pytest.raises(ArgumentError) as caught:
        require_config_allows(options(**{name: value}), CONFIG)
    assert (caught.value.argument, caught.value.hints) == (name, (hint,))
    assert (caught.value.resolved, caught.value.label) == ("/c", "config")


class Dotted(Naming):
    """Names with dots, and kernels stored as torch stores them."""

    id = "dotted"

    def scopes(self, names):
        return ["bert."] if any(name.startswith("bert.") for name in names) else []

    def class_of(self, name, _spec, _scope):
        return "heads" if name.startswith(("cls.", "bert.pooler.")) else ""

    def stored_as(self, parameter, _scope, _names=()):
        return parameter.replace("/", "."), "transposed" if parameter.endswith("kernel") else "same"


def test_another_naming_gives_the_same_values(tiny_bert, bert, monkeypatch):
    monkeypatch.setattr(namings, "NAMINGS", (Dotted(),))
    tensors = {
        name.replace("/", "."): value.T.copy() if name.endswith("kernel") else value
        for name, value in bert_tensors().items()
    }
    write_checkpoint(str(bert / PREFIX), tensors)
    kind = bert_kind(build_options(training=False, seq_len=None))
    checked = check(kind, Request(config=bert), keep_values=True)

    assert checked.report.unused.keys() == {"heads"}
    assert list(checked.values) == [spec.name for spec in checked.report.read]
    with opened_checkpoint(tiny_bert / PREFIX) as file:
        for name, value in checked.values.items():
            np.testing.assert_array_equal(value, file.look(name)[0])


def test_a_transposed_kernel_of_another_naming_does_not_fit(bert, monkeypatch):
    monkeypatch.setattr(namings, "NAMINGS", (Dotted(),))
    write_checkpoint(str(bert / PREFIX), {name.replace("/", "."): value for name, value in bert_tensors().items()})
    with pytest.raises(VariableMismatchError) as caught:
        safeload.check_bert(bert)

    assert {problem.name.rsplit("/", 2)[-2] for problem in caught.value.report.problems} == {"dense"}
    assert caught.value.report.problems[0].found.shape == (32, 16)
