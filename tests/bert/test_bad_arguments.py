from __future__ import annotations

import pytest

import safeload
from safeload.errors import ArgumentError

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
    ({"dropout_rate": 1.5}, "dropout_rate must be a number from 0 up to, not including, 1, not 1.5"),
    ({"dropout_rate": "0.1"}, "dropout_rate must be a number from 0 up to, not including, 1, not '0.1'"),
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
    with pytest.raises(ArgumentError, match="did you mean 'Encoder-"):
        safeload.load_bert(tiny_bert, trainable=["encoder-1"])
