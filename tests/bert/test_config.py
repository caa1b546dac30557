"""The config of a BERT, each key bound from both sides, and the table of variables that follows from it."""

from __future__ import annotations

import pytest
from checkpoints import BERT_CONFIG

import safeload
from safeload._formats.index_file import Entry
from safeload.bert._arguments import ACTIVATIONS
from safeload.bert._config import MAX_LAYERS, MAX_SIZE, validate_config
from safeload.bert._variables import find_scope, is_nezha, list_variables, recognise, sort_unused, with_positions_of
from safeload.errors import ConfigError, MissingFileError

SIZES = ("vocab_size", "hidden_size", "num_attention_heads", "intermediate_size", "max_position_embeddings")


def read(**changes):
    data = {key: value for key, value in {**BERT_CONFIG, **changes}.items() if value is not None}
    return validate_config(data, path="/bert_config.json", given="b")


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
        assert error.hints == (f"load it with a library made for {what.split()[0]}",)


def test_that_a_file_is_another_program_s_is_guessed_from_missing_keys_alone():
    another = ("this may be the config of another program; BERT's is published as bert_config.json",)

    assert failure(vocab_size=None, hidden_act=None).hints == another
    assert failure(vocab_size=None).hints == ()
    assert failure(vocab_size=None, hidden_size=0).hints == ()
    assert failure(vocab_size=0, hidden_size=0).hints == ()


def rows_of(*, training):
    config = read(
        vocab_size=30,
        hidden_size=4,
        num_attention_heads=2,
        num_hidden_layers=2,
        intermediate_size=6,
        max_position_embeddings=9,
    )
    rows = list_variables(config, training=training)
    assert {row.spec.dtype for row in rows.values()} == {"float32"}
    return {name: (row.graph_name, row.spec.shape, row.spec.size_keys, row.change) for name, row in rows.items()}


H, HH, W = ("hidden_size",), ("hidden_size", "hidden_size"), "intermediate_size"
EMBEDDINGS = {
    "word_embeddings": ("Embedding-Token/embeddings", (30, 4), ("vocab_size", *H), ""),
    "position_embeddings": ("Embedding-Position/embeddings", (9, 4), ("max_position_embeddings", *H), "rows"),
    "token_type_embeddings": ("Embedding-Segment/embeddings", (2, 4), ("type_vocab_size", *H), ""),
    "LayerNorm/gamma": ("Embedding-Norm/gamma", (4,), H, ""),
    "LayerNorm/beta": ("Embedding-Norm/beta", (4,), H, ""),
}
ATTENTION = {
    **{f"self/{name}/{part}": (f"{{0}}/{{0}}_{letter}", shape, keys, "")
       for name, short in (("query", "q"), ("key", "k"), ("value", "v"))
       for part, letter, shape, keys in (("kernel", f"W{short}", (4, 4), HH), ("bias", f"b{short}", (4,), H))},
    "output/dense/kernel": ("{0}/{0}_Wo", (4, 4), HH, ""),
    "output/dense/bias": ("{0}/{0}_bo", (4,), H, ""),
    "output/LayerNorm/gamma": ("{0}-Norm/gamma", (4,), H, ""),
    "output/LayerNorm/beta": ("{0}-Norm/beta", (4,), H, ""),
}  # fmt: skip
FEED = {
    "intermediate/dense/kernel": ("{0}/{0}_W1", (4, 6), (*H, W), ""),
    "intermediate/dense/bias": ("{0}/{0}_b1", (6,), (W,), ""),
    "output/dense/kernel": ("{0}/{0}_W2", (6, 4), (W, *H), ""),
    "output/dense/bias": ("{0}/{0}_b2", (4,), H, ""),
    "output/LayerNorm/gamma": ("{0}-Norm/gamma", (4,), H, ""),
    "output/LayerNorm/beta": ("{0}-Norm/beta", (4,), H, ""),
}
HEADS = {
    "cls/predictions/transform/dense/kernel": ("MLM-Dense/kernel", (4, 4), HH, ""),
    "cls/predictions/transform/dense/bias": ("MLM-Dense/bias", (4,), H, ""),
    "cls/predictions/transform/LayerNorm/gamma": ("MLM-Norm/gamma", (4,), H, ""),
    "cls/predictions/transform/LayerNorm/beta": ("MLM-Norm/beta", (4,), H, ""),
    "cls/predictions/output_bias": ("MLM-Sim/bias", (30,), ("vocab_size",), ""),
    "bert/pooler/dense/kernel": ("NSP-Dense/kernel", (4, 4), HH, ""),
    "bert/pooler/dense/bias": ("NSP-Dense/bias", (4,), H, ""),
    "cls/seq_relationship/output_weights": ("NSP/kernel", (2, 4), ("", *H), "transposed"),
    "cls/seq_relationship/output_bias": ("NSP/bias", (2,), ("",), ""),
}


def test_the_variables_are_those_of_the_config_with_the_keys_of_their_sizes():
    expected = {f"bert/embeddings/{name}": row for name, row in EMBEDDINGS.items()}
    for number in (0, 1):
        for kind, folder, part in (("MultiHeadSelfAttention", "attention/", ATTENTION), ("FeedForward", "", FEED)):
            for name, (graph_name, *rest) in part.items():
                row = (graph_name.format(f"Encoder-{number + 1}-{kind}"), *rest)
                expected[f"bert/encoder/layer_{number}/{folder}{name}"] = row

    assert rows_of(training=False) == expected
    assert rows_of(training=True) == {**expected, **HEADS}


CLASSES = {
    "optimizer slots": ["x/adam_m", "x/adam_v", "x/Adam", "x/Adam_1", "x/LAMB", "x/LAMB_1", "x/lamb_m", "x/lamb_v",
                        "bert/x/Momentum", "x/Adagrad", "x/Ftrl", "x/Ftrl_1"],
    "optimizer state": ["beta1_power", "beta2_power", "a/loss_scale", "loss_scale", "current_loss_scale", "good_steps", "good_steps:0"],
    "steps": ["global_step", "a/global_step"],
    "pooler": ["bert/pooler/dense/kernel", "bert/pooler/dense/bias"],
    "heads": ["cls/predictions/x", "cls/seq_relationship/x"],
    "task heads": ["output_weights", "cls/other/x", "adam_m", "beta3_power", "x/adam_mm"],
}  # fmt: skip
UNEXPECTED = ["bert/encoder/layer_9/x", "bert/pooler/dense/kernels", "bert/x", "bert/adam_mm"]


def test_what_is_not_read_is_explained_or_unexpected():
    names = [name for row in CLASSES.values() for name in row]

    assert sort_unused([*names, *UNEXPECTED]) == (CLASSES, UNEXPECTED)


OTHERS = {
    "a TensorFlow 2 object-based checkpoint": ["_CHECKPOINTABLE_OBJECT_GRAPH", "a/.ATTRIBUTES/VARIABLE_VALUE"],
    "ALBERT": ["bert/encoder/transformer/group_0/x", "bert/encoder/embedding_hidden_mapping_in/x"],
    "ELECTRA": ["electra/x", "discriminator/x", "generator/x", "discriminator_predictions/x"],
    "RoBERTa": ["roberta/x", "a/roberta/x"],
    "a checkpoint that Keras saved by layer names": ["Embedding-Token/x", "Embedding-Position/x", "Encoder-12-Norm/x"],
    "a PyTorch model's names": ["a.weight", "a.b.bias"],
}


@pytest.mark.parametrize(("what", "name"), [(what, name) for what, names in OTHERS.items() for name in names])
def test_another_model_is_known_by_one_of_its_names(what, name):
    found = recognise(["global_step", name])

    assert found is not None
    assert found[0] == what
    assert found[1].startswith(("load it with", "export it", "convert"))


@pytest.mark.parametrize(
    "name", ["bert/x", "my_electra/x", "robertas/x", "Encoder-x/y", "a.weights", "weight", "x.bias/a"]
)
def test_other_names_are_of_no_model_that_is_known(name):
    assert recognise([name]) is None


WORDS, POSITIONS, LAYER = (
    "bert/embeddings/word_embeddings",
    "bert/embeddings/position_embeddings",
    "bert/encoder/layer_0/x",
)


def test_the_scope_is_what_stands_before_every_name():
    assert find_scope({WORDS: 1, LAYER: 1}) == [""]
    assert find_scope({f"module/{WORDS}": 1}) == ["module/"]
    assert find_scope({f"b/{WORDS}": 1, f"a/{WORDS}": 1}) == ["a/", "b/"]
    assert find_scope({LAYER: 1}) == []


@pytest.mark.parametrize(
    ("names", "yes"),
    [
        ([WORDS, LAYER], True),
        ([WORDS, LAYER, POSITIONS], False),
        ([WORDS], False),
        ([LAYER], False),
        ([WORDS, "bert/encoder/layer_1/x"], False),
        ([WORDS, LAYER, f"other/{POSITIONS}"], True),
    ],
    ids=str,
)
def test_nezha_is_a_bert_without_positions(names, yes):
    assert is_nezha(dict.fromkeys(names), "") is yes
    assert is_nezha({f"a/{name}": 1 for name in names}, "a/") is yes


@pytest.mark.parametrize(("shape", "positions"), [((600, 4), 600), ((16, 4), 32), ((), 32)])
def test_the_checkpoint_s_positions_count_where_they_are_more(shape, positions):
    entry = Entry(POSITIONS, "float32", shape, 0, 0, 0, 0)
    config = read(max_position_embeddings=32)

    assert (
        with_positions_of(
            config, {f"a/{POSITIONS}": entry, "x": Entry("x", "float32", (999,), 0, 0, 0, 0)}
        ).max_position_embeddings
        == positions
    )
    assert with_positions_of(config, {}) == config


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

    assert hints_of(tmp_path) == (("the folder holds an ELMo: load it with safeload.load_elmo",) if is_elmo else ())


def test_the_folders_near_that_hold_a_config_are_named(tmp_path):
    for name in ("a", "b", "c", "d"):
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "bert_config.json").touch()
    (tmp_path / "models/a/inner").mkdir()

    assert hints_of(tmp_path / "models") == tuple(f"did you mean {tmp_path}/models/{name} ?" for name in "abc")
    assert hints_of(tmp_path / "models/a/inner") == (f"did you mean {tmp_path}/models/a ?",)


def test_a_model_type_that_is_no_text_is_another_model():
    with pytest.raises(ConfigError, match=r"another model \(model_type 3\)"):
        validate_config({"model_type": 3}, path="c.json")
