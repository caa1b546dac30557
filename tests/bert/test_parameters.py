"""The parameters of a BERT and their shapes, which follow from its config."""

from __future__ import annotations

import pytest

from safeload._forms.weight_file import StoredTensor
from safeload.bert._parameters import list_parameters, with_positions_of
from safeload.report import TensorSpec
from tests.bert.test_config import read

POSITIONS = "bert/embeddings/position_embeddings"


def rows_of(*, training):
    config = read(
        vocab_size=30,
        hidden_size=4,
        num_attention_heads=2,
        num_hidden_layers=2,
        intermediate_size=6,
        max_position_embeddings=9,
    )
    specs = list_parameters(config, training=training)
    assert [spec.name for spec in specs.values()] == list(specs)
    assert {spec.dtype for spec in specs.values()} == {"float32"}
    return {name: (spec.shape, spec.size_keys) for name, spec in specs.items()}


H, HH, W = ("hidden_size",), ("hidden_size", "hidden_size"), "intermediate_size"
EMBEDDINGS = {
    "word_embeddings": ((30, 4), ("vocab_size", *H)),
    "position_embeddings": ((9, 4), ("max_position_embeddings", *H)),
    "token_type_embeddings": ((2, 4), ("type_vocab_size", *H)),
    "LayerNorm/gamma": ((4,), H),
    "LayerNorm/beta": ((4,), H),
}
ATTENTION = {
    **{f"self/{name}/{part}": (shape, keys)
       for name in ("query", "key", "value")
       for part, shape, keys in (("kernel", (4, 4), HH), ("bias", (4,), H))},
    "output/dense/kernel": ((4, 4), HH),
    "output/dense/bias": ((4,), H),
    "output/LayerNorm/gamma": ((4,), H),
    "output/LayerNorm/beta": ((4,), H),
}  # fmt: skip
FEED = {
    "intermediate/dense/kernel": ((4, 6), (*H, W)),
    "intermediate/dense/bias": ((6,), (W,)),
    "output/dense/kernel": ((6, 4), (W, *H)),
    "output/dense/bias": ((4,), H),
    "output/LayerNorm/gamma": ((4,), H),
    "output/LayerNorm/beta": ((4,), H),
}
HEADS = {
    "cls/predictions/transform/dense/kernel": ((4, 4), HH),
    "cls/predictions/transform/dense/bias": ((4,), H),
    "cls/predictions/transform/LayerNorm/gamma": ((4,), H),
    "cls/predictions/transform/LayerNorm/beta": ((4,), H),
    "cls/predictions/output_bias": ((30,), ("vocab_size",)),
    "bert/pooler/dense/kernel": ((4, 4), HH),
    "bert/pooler/dense/bias": ((4,), H),
    "cls/seq_relationship/output_weights": ((2, 4), ("", *H)),
    "cls/seq_relationship/output_bias": ((2,), ("",)),
}


def test_the_variables_are_those_of_the_config_with_the_keys_of_their_sizes():
    expected = {f"bert/embeddings/{name}": row for name, row in EMBEDDINGS.items()}
    for number in (0, 1):
        for folder, part in (("attention/", ATTENTION), ("", FEED)):
            expected |= {f"bert/encoder/layer_{number}/{folder}{name}": row for name, row in part.items()}

    assert rows_of(training=False) == expected
    assert rows_of(training=True) == {**expected, **HEADS}


def stored(name, shape):
    return StoredTensor(spec=TensorSpec(name=name, shape=shape, dtype="float32"), n_bytes=0)


@pytest.mark.parametrize(("shape", "positions"), [((600, 4), 600), ((16, 4), 32), ((), 32)])
def test_the_checkpoint_s_positions_count_where_they_are_more(shape, positions):
    config = read(max_position_embeddings=32)

    assert with_positions_of(config, stored(POSITIONS, shape)).max_position_embeddings == positions
    assert with_positions_of(config, None) == config


@pytest.mark.parametrize(("least", "positions"), [(8, 16), (16, 16), (17, 32)])
def test_fewer_positions_count_where_they_are_enough(least, positions):
    config = read(max_position_embeddings=32)

    assert with_positions_of(config, stored(POSITIONS, (16, 4)), least=least).max_position_embeddings == positions
    assert with_positions_of(config, None, least=least) == config
