"""The config of a BERT, each key bound from both sides."""

from __future__ import annotations

import json
import os

import pytest

import safeload
from safeload.bert._config import MAX_LAYERS, MAX_SIZE, validate_config
from safeload.bert._runtimes import ACTIVATIONS, KERAS_BERT_EPS, KERAS_HUB, dropout_rates
from safeload.compat import keras_bert as drop_in
from safeload.errors import ConfigError, FileSystemError, MissingFileError, UnreadableFileError
from safeload.testing import edit_config
from tests.checkpoints import BERT_CONFIG
from tests.opened import ref

SIZES = ("vocab_size", "hidden_size", "num_attention_heads", "intermediate_size", "max_position_embeddings")


ELMO = "the folder contains an ELMo: load it with safeload.load_elmo, or check it with: safeload check elmo"


def read(**changes):
    data = {key: value for key, value in {**BERT_CONFIG, **changes}.items() if value is not None}
    return validate_config(data, ref("/bert_config.json", given="b"))


def failure(**changes):
    with pytest.raises(ConfigError) as caught:
        read(**changes)
    assert (caught.value.resolved, caught.value.given, caught.value.label) == ("/bert_config.json", "b", "config")
    return caught.value


def problems_of(**changes):
    return [(problem.key, problem.problem) for problem in failure(**changes).problems]


def test_the_bounds_are_far_above_any_published_model():
    assert (MAX_LAYERS, MAX_SIZE) == (1000, 16_777_216)


@pytest.mark.parametrize(("key", "most"), [*((key, MAX_SIZE) for key in SIZES), ("num_hidden_layers", MAX_LAYERS)])
def test_a_size_lies_between_its_bounds_which_are_allowed(key, most):
    heads = {"num_attention_heads": 1} if key == "hidden_size" else {}
    width = {"hidden_size": most} if key == "num_attention_heads" else {}
    for value in (1, most):
        assert getattr(read(**{**heads, **width, key: value}), key) == value
    for value in (0, most + 1, "12", True, 1.5):
        assert [name for name, _ in problems_of(**{key: value})] == [key]
    assert problems_of(**{key: None}) == [(key, f"missing; expected an integer from 1 to {most}")]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_that_keras_bert_can_build_is_read(name):
    assert read(hidden_act=name).hidden_act == name


def test_heads_divide_the_width_where_both_are_sizes():
    assert read(hidden_size=12, num_attention_heads=3).num_attention_heads == 3
    assert problems_of(hidden_size=12, num_attention_heads=5) == [
        ("num_attention_heads", "5 does not divide hidden_size 12")
    ]
    assert [key for key, _ in problems_of(hidden_size="12", num_attention_heads=5)] == ["hidden_size"]
    assert [key for key, _ in problems_of(hidden_size=12, num_attention_heads="5")] == ["num_attention_heads"]


@pytest.mark.parametrize(("value", "n_problems"), [(None, 0), (2, 0), (1, 1), (3, 1), (0, 1), ("2", 1), (True, 1)])
def test_keras_bert_builds_two_segments(value, n_problems):
    if n_problems:
        ((key, problem),) = problems_of(type_vocab_size=value)
        assert key == "type_vocab_size"
        assert problem.startswith("keras-bert always builds 2 segments") == (value in (1, 3) and value is not True)
    else:
        read(type_vocab_size=value)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"model_type": "BERT"}, None),
        ({"model_type": "roberta"}, "roberta (model_type)"),
        ({"embedding_size": 128}, "albert (embedding_size)"),
        ({"embedding_size": BERT_CONFIG["hidden_size"]}, None),
        ({"num_hidden_groups": 1}, "albert (num_hidden_groups)"),
        ({"inner_group_num": 1}, "albert (inner_group_num)"),
        ({"max_relative_position": 64}, "nezha (max_relative_position)"),
        ({"use_relative_position": True}, "nezha (use_relative_position)"),
        ({"use_relative_position": False}, None),
    ],
    ids=str,
)
def test_the_config_of_another_model_is_known_by_its_keys(changes, what):
    if what is None:
        read(**changes)
    else:
        error = failure(**changes)
        assert error.message == f"the config is of {what}, which keras-bert cannot build"
        assert error.hints == (f"load it with a library for {what.split()[0]}",)


def test_that_a_file_is_another_program_s_is_guessed_from_missing_keys_alone():
    another = ("this may be the config of another program; BERT's is published as bert_config.json",)

    assert failure(vocab_size=None, hidden_act=None).hints == another
    assert failure(vocab_size=None).hints == ()
    assert failure(vocab_size=None, hidden_size=0).hints == ()
    assert failure(vocab_size=0, hidden_size=0).hints == ()


def test_a_config_may_have_the_name_of_a_hub(bert):
    (bert / "bert_config.json").rename(bert / "bert-base-uncased")

    assert len(safeload.check_bert("bert-base-uncased", bert, base_dir=bert).read) == 37


def hints_of(folder):
    with pytest.raises(MissingFileError) as caught:
        safeload.check_bert(folder)
    return caught.value.hints


@pytest.mark.parametrize(
    ("names", "is_elmo"),
    [
        (("elmo_options.json", "w.hdf5"), True),
        (("options.json", "w.h5"), True),
        (("options.json",), False),
        (("w.hdf5",), False),
        (("w.h5", "other.json"), False),
    ],
)
def test_the_folder_of_an_elmo_is_known_by_both_of_its_files(names, is_elmo, tmp_path):
    for name in names:
        (tmp_path / name).touch()

    assert hints_of(tmp_path) == ((f"{ELMO} {tmp_path}",) if is_elmo else ())


def test_the_folders_near_that_hold_a_config_are_named(tmp_path):
    for name in ("a", "b", "c", "d"):
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "bert_config.json").touch()
    (tmp_path / "models/a/inner").mkdir()

    assert hints_of(tmp_path / "models") == tuple(f"did you mean {tmp_path}/models/{name}?" for name in "abc")
    assert hints_of(tmp_path / "models/a/inner") == (f"did you mean {tmp_path}/models/a?",)


def test_a_model_type_that_is_no_text_is_another_model():
    with pytest.raises(ConfigError, match=r"another model \(model_type 3\)"):
        validate_config({"model_type": 3}, ref("c.json"))


@pytest.mark.parametrize(("code", "kind"), [(13, UnreadableFileError), (5, FileSystemError)])
def test_a_folder_that_cannot_be_listed_is_told(code, kind, tmp_path, monkeypatch):
    def fail(path):
        raise OSError(code, os.strerror(code), path)

    monkeypatch.setattr(os, "listdir", fail)
    with pytest.raises(kind, match="the folder") as caught:
        safeload.check_bert(tmp_path)
    assert (caught.value.resolved, caught.value.label) == (str(tmp_path), "folder")


@pytest.mark.parametrize(
    "lost", ["bert_config.json", "vocab.txt", "bert_model.ckpt.index", "bert_model.ckpt.data-00000-of-00001"]
)
def test_a_loop_of_links_is_not_called_missing(lost, bert):
    (bert / lost).unlink()
    (bert / lost).symlink_to(lost)

    with pytest.raises(FileSystemError, match="Too many levels of symbolic links") as caught:
        safeload.check_bert(bert / "bert_config.json", bert / "bert_model.ckpt")
    assert caught.value.resolved == str(bert / lost)


@pytest.mark.parametrize(
    ("key", "bad", "good"),
    [
        ("is_decoder", [True, 1, "true"], [False, None]),
        ("add_cross_attention", [True], [False, None]),
        ("is_encoder_decoder", [True], [False, None]),
        ("position_embedding_type", ["relative_key", "relative_key_query", "rotary", 3], ["absolute", None]),
        ("relative_attention", [True], [False, None]),
        ("position_biased_input", [False], [True, None]),
        ("pruned_heads", [{"0": [1]}, {"a": []}], [{}, [], None]),
        ("norm_first", [True], [False]),
        ("pre_norm", [True], [False]),
    ],
)
def test_a_key_that_makes_another_model_is_named(key, bad, good, bert):
    for value in bad:
        edit_config(bert, **{key: value})
        with pytest.raises(ConfigError) as caught:
            safeload.check_bert(bert)
        (problem,) = caught.value.problems
        assert problem.key == key
        assert "makes another model, which keras-bert cannot build: " in problem.problem
    for value in good:
        write_bert_config(bert, **{key: value})
        assert safeload.check_bert(bert).unused_keys == ()


def write_bert_config(folder, **changes):
    (folder / "bert_config.json").write_text(json.dumps({**BERT_CONFIG, **changes}))


def test_all_keys_that_make_another_model_are_in_one_error(bert):
    write_bert_config(bert, is_decoder=True, position_embedding_type="relative_key", hidden_act="quick_gelu")
    with pytest.raises(ConfigError) as caught:
        safeload.check_bert(bert)

    assert [problem.key for problem in caught.value.problems] == ["hidden_act", "is_decoder", "position_embedding_type"]


PUBLISHED = {
    "attention_probs_dropout_prob": 0.1, "directionality": "bidi", "hidden_dropout_prob": 0.1, "initializer_range": 0.02,
    "pooler_fc_size": 768, "pooler_type": "first_token_transform", "transformers_version": "4.49.0", "use_cache": True,
}  # fmt: skip


def test_keys_without_an_effect_are_listed_as_not_used(bert):
    write_bert_config(bert, **PUBLISHED, is_decoder=False, model_type="bert")
    report = safeload.check_bert(bert)

    assert report.unused_keys == tuple(PUBLISHED)
    assert "  not used:    attention_probs_dropout_prob, directionality, " in str(report)
    assert report.to_dict()["unused_keys"] == tuple(PUBLISHED)
    assert "keys not used" in report._repr_html_()


def test_a_default_of_transformers_is_not_said_to_be_in_the_config(bert):
    write_bert_config(bert, model_type="bert")
    config = json.loads((bert / "bert_config.json").read_text())
    del config["hidden_act"]
    (bert / "bert_config.json").write_text(json.dumps(config))
    assert 'hidden_act is not in the config; "gelu" is the default of transformers' in safeload.check_bert(bert).notes

    del config["num_attention_heads"]
    (bert / "bert_config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError) as caught:
        safeload.check_bert(bert)
    (problem,) = caught.value.problems
    assert problem.problem == "12, the default of transformers, does not divide hidden_size 16"


@pytest.mark.parametrize("value", [1e-5, 1.0001e-12, 0.1, 1, "1e-12", True, []])
def test_a_larger_epsilon_warns_with_both_values(bert, value):
    write_bert_config(bert, layer_norm_eps=value)
    with pytest.warns(safeload.SafeLoadWarning) as caught:
        report = safeload.check_bert(bert)

    shown = json.dumps(value)
    warned = f"layer_norm_eps is {shown}, where BERT has 1e-12; keras-bert cannot set it and computes with 1e-14"
    assert (report.warnings, report.unused_keys, len(caught)) == ((warned,), ("layer_norm_eps",), 1)


@pytest.mark.parametrize("value", [1e-12, 1e-13, 0, None])
def test_the_epsilon_of_bert_does_not(bert, value):
    write_bert_config(bert, layer_norm_eps=value)

    assert safeload.check_bert(bert).warnings == ()


def test_the_epsilon_of_keras_bert_is_the_one_that_is_told(bert):
    pytest.importorskip("keras_bert")
    write_bert_config(bert, layer_norm_eps=1e-5)
    with pytest.warns(safeload.SafeLoadWarning, match="computes with 1e-14"):
        model = safeload.load_bert(bert)
    with pytest.warns(safeload.SafeLoadWarning, match="computes with 1e-14"):
        drop_in.build_model_from_config(bert)

    norms = [layer for layer in model.layers if "Norm" in layer.name]
    assert len(norms) == 5
    assert [layer.epsilon for layer in norms] == pytest.approx([KERAS_BERT_EPS] * 5, rel=1e-6)


def test_a_key_cannot_forge_a_line_of_the_report(bert):
    write_bert_config(bert, **{"a\n  note:  fine": 1})

    assert "  not used:    a\\n  note:  fine\n" in str(safeload.check_bert(bert))


@pytest.mark.parametrize(("said", "meant"), [({"dropout": 0.25}, 0.25), ({"dropout": 0}, 0), ({}, 0.1)])
def test_the_dropout_of_kerashub_is_that_of_both_parts(said, meant):
    sizes = {"vocabulary_size": 30, "num_layers": 2, "num_heads": 4, "hidden_dim": 16, "intermediate_dim": 32}
    inner = {**sizes, "max_sequence_length": 20, "num_segments": 2, **said}
    raw = {"class_name": "BertBackbone", "config": inner}
    config = validate_config(raw, ref("/config.json", given="b"), KERAS_HUB)

    assert dropout_rates(config.raw) == (meant, meant)
    assert config.type_vocab_size == 2
