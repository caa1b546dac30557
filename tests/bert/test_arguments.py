from __future__ import annotations

import pathlib

import pytest

import safeload
from safeload.bert._arguments import FULL_LENGTH, build_options
from safeload.bert._config import validate_config
from safeload.bert._model import require_config_allows
from safeload.errors import ArgumentError
from tests.checkpoints import BERT_CONFIG
from tests.opened import ref

TABLE = [
    ({"training": 1}, "training must be a bool, not 1"),
    ({"training": "vocab.txt"}, "training must be a bool, not 'vocab.txt'"),
    ({"trainable": "Encoder"}, "trainable must be a bool or a list of prefixes, not 'Encoder'"),
    ({"trainable": [1]}, "trainable must be a bool or a list of prefixes, not [1]"),
    ({"trainable": ["encoder"]}, "trainable: no layer's name starts with 'encoder'"),
    ({"output_layer_num": 0}, "output_layer_num must be a positive int or a list of layer numbers, not 0"),
    ({"output_layer_num": True}, "output_layer_num must be a positive int or a list of layer numbers, not True"),
    ({"output_layer_num": []}, "output_layer_num must be a positive int or a list of layer numbers, not []"),
    ({"output_layer_num": 3}, "output_layer_num must be at most num_hidden_layers=2, not 3"),
    ({"output_layer_num": [2]}, "output_layer_num must be layers from -2 to 1, not 2"),
    ({"seq_len": 0}, "seq_len must be a positive int or None, not 0"),
    ({"seq_len": True}, "seq_len must be a positive int or None, not True"),
    ({"seq_len": "8"}, "seq_len must be a positive int or None, not '8'"),
    ({"seq_len": 21}, "seq_len must be at most max_position_embeddings=20, not 21"),
    ({"dropuot_rate": 0.1}, "keras-bert has no option 'dropuot_rate'"),
    ({"token_num": 30}, "token_num cannot be passed: it is vocab_size of the config"),
    ({"dropout_rate": 1.5}, "dropout_rate must be a number of at least 0 and less than 1, not 1.5"),
    ({"dropout_rate": "0.1"}, "dropout_rate must be a number of at least 0 and less than 1, not '0.1'"),
    ({"attention_activation": "glue"}, "attention_activation must be None, a callable or one of"),
    ({"use_task_embed": 1}, "use_task_embed must be a bool, not 1"),
    ({"task_num": 0}, "task_num must be a positive int, not 0"),
    ({"ignore_unused": "bert/*"}, "ignore_unused must be a list of patterns, not 'bert/*'"),
    ({"ignore_unused": [1]}, "ignore_unused must be a list of patterns, not 1"),
]


@pytest.mark.parametrize(("given", "message"), TABLE, ids=[str(given) for given, _ in TABLE])
def test_a_bad_argument_is_named_with_what_it_should_be(tiny_bert, given, message):
    with pytest.raises(ArgumentError) as caught:
        safeload.load_bert(tiny_bert, **given)

    assert str(caught.value).startswith(message)
    assert caught.value.argument == next(iter(given))
    assert caught.value.hints
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, TypeError)


def test_a_close_name_is_offered(tiny_bert):
    with pytest.raises(ArgumentError, match="did you mean dropout_rate"):
        safeload.load_bert(tiny_bert, dropuot_rate=0.1)


@pytest.mark.parametrize(("prefix", "close"), [("encoder-1", ["did you mean 'Encoder-1-FeedForward'?"]), ("zzz", [])])
def test_a_prefix_that_fits_no_layer_is_told_with_the_first_layers(tiny_bert, prefix, close):
    with pytest.raises(ArgumentError) as caught:
        safeload.load_bert(tiny_bert, trainable=["Embedding", prefix])

    first = (
        "Input-Token, Input-Segment, Embedding-Token, Embedding-Segment, Embedding-Token-Segment, Embedding-Position"
    )
    assert caught.value.hints == (*close, f"the layers are {first}, ...")
    assert (caught.value.argument, caught.value.given) == ("trainable", prefix)


def options(**changes):
    sound = {"training": False, "trainable": None, "output_layer_num": 1, "seq_len": FULL_LENGTH, "model_options": {}}
    return build_options(**{**sound, **changes})


CONFIG = validate_config({**BERT_CONFIG, "num_hidden_layers": 2, "max_position_embeddings": 20}, ref("/c"))


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("training", True, True),
        ("trainable", True, True),
        ("trainable", ["NSP", "Encoder-1"], ("Encoder-1", "NSP")),
        ("trainable", {"NSP"}, ("NSP",)),
        ("trainable", frozenset(), ()),
        ("output_layer_num", 1, 1),
        ("output_layer_num", 2, 2),
        ("output_layer_num", [-2, 1], (-2, 1)),
        ("output_layer_num", (0,), (0,)),
        ("seq_len", None, None),
        ("seq_len", 1, 1),
        ("seq_len", 20, 20),
        ("seq_len", FULL_LENGTH, FULL_LENGTH),
        *(("model_options", {name: value}, {name: value}) for name, value in (
            ("dropout_rate", 0), ("dropout_rate", 0.999), ("attention_activation", None), ("attention_activation", abs),
            ("attention_activation", "gelu"), ("use_task_embed", True), ("task_num", 1),
        )),
    ],
    ids=str,
)  # fmt: skip
def test_the_bounds_themselves_are_good_arguments(name, value, kept):
    found = options(**{name: value})

    assert getattr(found, name) == kept
    require_config_allows(found, CONFIG)


def test_the_trainable_layers_are_all_in_training_and_none_without():
    assert options(training=True).trainable is True
    assert options().trainable is False


BAD = {
    "training": [(3, "pass training=True or training=False")],
    "trainable": [(3, "pass True, False, or a list of prefixes of layer names such as ['Encoder-12', 'NSP']")],
    "output_layer_num": [
        (0, "pass how many of the last layers to concatenate, or a list of layer numbers"),
        ([1, "2"], "pass how many of the last layers to concatenate, or a list of layer numbers"),
        ([True], "pass how many of the last layers to concatenate, or a list of layer numbers"),
    ],
    "seq_len": [(-1, "pass a length in tokens, None for any length, or leave it out for the full length")],
}


@pytest.mark.parametrize(("name", "value", "hint"), [(name, *row) for name, rows in BAD.items() for row in rows])
def test_a_bad_argument_has_a_hint(name, value, hint):
    with pytest.raises(ArgumentError) as caught:
        options(**{name: value})
    assert (caught.value.argument, caught.value.hints) == (name, (hint,))


@pytest.mark.parametrize("path", ["vocab.txt", b"vocab.txt", pathlib.Path("vocab.txt")])
def test_a_vocabulary_in_the_place_of_training_is_told_where_it_goes(path):
    with pytest.raises(ArgumentError) as caught:
        options(training=path)
    assert caught.value.hints == (
        "a vocabulary goes to vocab_file=... of safeload.load_bert; keras-bert's loader has no argument for it",
    )


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("dropout_rate", 1, "BERT was trained with 0.1"),
        ("dropout_rate", -0.1, "BERT was trained with 0.1"),
        ("dropout_rate", True, "BERT was trained with 0.1"),
        ("dropout_rate", False, "BERT was trained with 0.1"),
        ("attention_activation", "glue", "keras-bert's default is None: no activation"),
        ("use_task_embed", None, "pass True or False"),
        ("task_num", 1.0, "pass the number of tasks"),
        ("task_num", 0, "pass the number of tasks"),
        ("trainabel", True, "did you mean trainable?"),
        ("output_layers_num", 1, "did you mean output_layer_num?"),
        ("seqlen", 1, "did you mean seq_len?"),
        ("xyz", 1, "the options are dropout_rate, attention_activation, use_task_embed, task_num"),
        *(
            (name, 1, "change the config file, or leave the argument out")
            for name in ("token_num", "pos_num", "embed_dim", "transformer_num", "head_num", "feed_forward_dim",
                         "feed_forward_activation")
        ),
    ],
)  # fmt: skip
def test_a_bad_option_of_keras_bert_has_a_hint(name, value, hint):
    with pytest.raises(ArgumentError) as caught:
        options(model_options={name: value})
    assert (caught.value.argument, caught.value.hints) == (name, (hint,))


def test_the_closest_name_is_offered_first():
    with pytest.raises(ArgumentError) as caught:
        options(model_options={"trainin": True})
    assert caught.value.hints == ("did you mean training?", "did you mean trainable?")


@pytest.mark.parametrize(
    ("name", "hint"),
    [("torch_dtype", "did you mean dtype?"), ("num_labels", "settings of the model belong into its config file")],
)
@pytest.mark.parametrize("backend", ["transformers", "keras-hub"])
def test_an_argument_that_no_backend_has_is_not_said_to_be_another_s(backend, name, hint):
    with pytest.raises(ArgumentError, match=f"load_bert has no argument '{name}'") as caught:
        safeload.load_bert("nowhere", backend=backend, **{name: 3})
    assert caught.value.hints == (hint,)
