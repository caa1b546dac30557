"""Ten random biLMs of different shapes."""

from __future__ import annotations

import pytest

from tests.elmos import options

SHAPES = {
    "tiny": options(),
    "one_layer": options(lstm={"n_layers": 1}),
    "three_layers": options(lstm={"n_layers": 3}),
    "no_highway": options(char_cnn={"n_highway": 0}),
    "tanh": options(char_cnn={"activation": "tanh", "n_highway": 1}),
    "tight_clips": options(lstm={"cell_clip": 0.25, "proj_clip": 0.1}),
    "no_clips": {**options(), "lstm": {**options()["lstm"], "cell_clip": None, "proj_clip": None}},
    "wide": options(lstm={"dim": 64, "projection_dim": 16}, char_cnn={"filters": [[1, 8], [3, 16], [5, 24], [7, 32]]}),
    "narrow_cell": options(lstm={"dim": 3, "projection_dim": 17}, char_cnn={"embedding": {"dim": 1}}),
    "longest_filter": options(char_cnn={"filters": [[50, 3], [2, 2]]}),
}
SENTENCES = [
    ["A", "good", "film", "."],
    ["Bad", "."],
    ["Ünïcödé", "words", "of", "more", "than", "forty-eight-bytes-" * 4, "and", "<S>", "</S>", ""],
    ["One"],
]

each_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
