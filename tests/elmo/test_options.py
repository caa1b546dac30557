"""The options of a biLM, each bound from both sides, and the table of datasets that follows from them."""

from __future__ import annotations

import pytest
from elmos import OPTIONS, options

from safeload.elmo._datasets import count_numbered, list_datasets, recognise, sort_unused
from safeload.elmo._options import MAX_FILTERS, MAX_LAYERS, MAX_SIZE, validate_options
from safeload.errors import ConfigError

CELL = "RNN/MultiRNNCell/Cell{}/LSTMCell"


def problems_of(data):
    """Return the bad keys, none where the options are good."""
    try:
        validate_options(data, path="/options.json")
    except ConfigError as exc:
        return [problem.key for problem in exc.problems]
    return []


BOUNDS = {
    ("lstm", "dim"): (1, MAX_SIZE),
    ("lstm", "projection_dim"): (1, MAX_SIZE),
    ("lstm", "n_layers"): (1, MAX_LAYERS),
    ("char_cnn", "n_highway"): (0, MAX_LAYERS),
    ("char_cnn", "n_characters"): (262, 262),
    ("char_cnn", "max_characters_per_token"): (50, 50),
}


def test_the_bounds_are_far_above_any_published_model():
    assert (MAX_LAYERS, MAX_SIZE, MAX_FILTERS) == (100, 1_048_576, 1000)


@pytest.mark.parametrize("key", BOUNDS, ids=".".join)
def test_a_size_lies_between_its_bounds_which_are_allowed(key):
    part, name = key
    for bound, beyond in zip(BOUNDS[key], (-1, 1), strict=True):
        assert problems_of(options(**{part: {name: bound}})) == []
        assert problems_of(options(**{part: {name: bound + beyond}})) == [f"{part}.{name}"]


@pytest.mark.parametrize(("dim", "fits"), [(0, False), (1, True), (MAX_SIZE, True), (MAX_SIZE + 1, False)])
def test_the_width_of_a_character_lies_between_its_bounds(dim, fits):
    assert problems_of(options(char_cnn={"embedding": {"dim": dim}})) == ([] if fits else ["char_cnn.embedding.dim"])


@pytest.mark.parametrize(
    ("filters", "bad"),
    [
        ([[1, 1]], []),
        ([[50, MAX_SIZE]], []),
        ([[1, 1]] * MAX_FILTERS, []),
        ([[1, 1]] * (MAX_FILTERS + 1), ["char_cnn.filters"]),
        ([], ["char_cnn.filters"]),
        ({"1": 4}, ["char_cnn.filters"]),
        ("ab", ["char_cnn.filters"]),
        ([[0, 1], [1, 0]], ["char_cnn.filters[0].width", "char_cnn.filters[1].number"]),
        ([[51, 1], [1, MAX_SIZE + 1]], ["char_cnn.filters[0].width", "char_cnn.filters[1].number"]),
        ([[1, 1], "ab", [1, 2, 3], [1, 1], 5], [f"char_cnn.filters[{number}]" for number in (1, 2, 4)]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_filter_is_a_width_and_a_number(filters, bad):
    assert problems_of(options(char_cnn={"filters": filters})) == bad


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_both_activations_of_bilm_tf_are_known(activation):
    assert validate_options(options(char_cnn={"activation": activation}), path="/o").activation == activation


@pytest.mark.parametrize(("value", "bad"), [(True, []), (False, ["bidirectional"]), (1, ["bidirectional"])])
def test_an_elmo_has_both_directions(value, bad):
    assert problems_of({**OPTIONS, "bidirectional": value}) == bad


@pytest.mark.parametrize("value", [261, True, 0, -5, 1 << 40, "262", None])
def test_another_number_of_characters_is_told_once(value):
    data = options()
    data["char_cnn"]["n_characters"] = value
    assert problems_of(data) == ["char_cnn.n_characters"]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (261, "261 is the value for training; set it to 262, with the id for padding"),
        (260, "expected 262, the ids of bytes and marks, found 260"),
        (263, "expected 262, the ids of bytes and marks, found 263"),
        (1, "expected 262, the ids of bytes and marks, found 1"),
        (0, "expected 1 to 1048576, found 0"),
    ],
)
def test_another_number_of_characters_is_told_in_its_own_words(value, problem):
    with pytest.raises(ConfigError) as caught:
        validate_options(options(char_cnn={"n_characters": value}), path="/o")
    assert [row.problem for row in caught.value.problems] == [problem]


@pytest.mark.parametrize("value", [40, True, 0, -5, 1 << 40, "50", None])
def test_another_length_of_words_is_told_once(value):
    data = options()
    data["char_cnn"]["max_characters_per_token"] = value
    assert problems_of(data) == ["char_cnn.max_characters_per_token"]


def hints_of(data):
    with pytest.raises(ConfigError) as caught:
        validate_options(data, path="/options.json", given="o")
    assert (caught.value.resolved, caught.value.given, caught.value.label) == ("/options.json", "o", "options")
    return caught.value.hints


def test_that_a_file_is_another_program_s_is_guessed_from_missing_keys_alone():
    another = ("this may be the JSON file of another program; ELMo's is published as ..._options.json",)

    assert hints_of({"a": 1}) == another
    assert hints_of(options(lstm={"dim": None, "n_layers": None})) == another
    assert hints_of(options(lstm={"dim": None})) == ()
    assert hints_of(options(lstm={"dim": None, "n_layers": 0})) == ()
    assert hints_of(options(lstm={"dim": 0, "n_layers": 0})) == ()


@pytest.mark.parametrize(
    ("keys", "hint"),
    [
        (("encoder", "token_embedder"), "load it with ELMoForManyLangs"),
        (("hidden_size", "num_hidden_layers"), "pass BERT's config to safeload.load_bert"),
        (("dataset_reader", "model"), "pass the options file that its elmo_token_embedder names"),
        (("lstm",), "only biLMs of characters give an ELMo; pass the options of one"),
    ],
)
def test_options_of_another_model_are_known_by_all_of_its_keys(keys, hint):
    assert hints_of({key: {} for key in keys}) == (hint,)
    for key in keys if len(keys) > 1 else ():
        validate_options({**OPTIONS, key: {}}, path="/o")


def test_options_of_another_model_with_lstms_are_that_model_s():
    assert hints_of({"encoder": {}, "token_embedder": {}, "lstm": {}}) == ("load it with ELMoForManyLangs",)


def test_the_datasets_are_those_of_the_options_with_the_keys_of_their_sizes():
    specs = list_datasets(validate_options(options(char_cnn={"filters": [[1, 4], [2, 6]], "n_highway": 1}), path="/o"))
    filters, dim, projected = "sum of char_cnn.filters", "lstm.dim", "lstm.projection_dim"
    cells = {
        f"RNN_{direction}/{CELL.format(layer)}/{name}": row
        for direction in (0, 1)
        for layer in (0, 1)
        for name, row in {
            "W_0": ((16, 48), (f"2*{projected}", f"4*{dim}")),
            "B": ((48,), (f"4*{dim}",)),
            "W_P_0": ((12, 8), (dim, projected)),
        }.items()
    }

    assert {name: (spec.shape, spec.size_keys) for name, spec in specs.items()} == {
        "char_embed": ((261, 5), ("char_cnn.n_characters - 1", "char_cnn.embedding.dim")),
        "CNN/W_cnn_0": (
            (1, 1, 5, 4),
            ("", "char_cnn.filters[0][0]", "char_cnn.embedding.dim", "char_cnn.filters[0][1]"),
        ),
        "CNN/b_cnn_0": ((4,), ("char_cnn.filters[0][1]",)),
        "CNN/W_cnn_1": (
            (1, 2, 5, 6),
            ("", "char_cnn.filters[1][0]", "char_cnn.embedding.dim", "char_cnn.filters[1][1]"),
        ),
        "CNN/b_cnn_1": ((6,), ("char_cnn.filters[1][1]",)),
        "CNN_high_0/W_carry": ((10, 10), (filters, filters)),
        "CNN_high_0/b_carry": ((10,), (filters,)),
        "CNN_high_0/W_transform": ((10, 10), (filters, filters)),
        "CNN_high_0/b_transform": ((10,), (filters,)),
        "CNN_proj/W_proj": ((10, 8), (filters, projected)),
        "CNN_proj/b_proj": ((8,), (projected,)),
        **cells,
    }
    assert {spec.dtype for spec in specs.values()} == {"float32"}


def test_only_what_training_needs_is_unused():
    names = ["softmax/W", "global_step", "softmaxes", "CNN/softmax", "adapter"]

    assert sort_unused(names) == ({"training": ("softmax/W", "global_step")}, ["softmaxes", "CNN/softmax", "adapter"])
    assert sort_unused(["adapter"]) == ({}, ["adapter"])


def test_numbered_things_are_counted_by_the_largest_number():
    assert count_numbered(["a_0", "a_3", "b_7"], r"a_(\d+)") == 4
    assert count_numbered(["b_7"], r"a_(\d+)") == 0


COMPUTED, WORDS, KERAS = (
    "a file of computed embeddings",
    "the weights of a biLM of whole words",
    "a model that Keras saved",
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
        *(
            (["x"], [name], KERAS)
            for name in (
                "model_weights", "layer_names", "optimizer_weights", "top_level_model_weights",
                "_layer_checkpoint_dependencies", "layers",
            )
        ),
        (["layers/dense/vars/0"], [], KERAS),
    ],
    ids=str,
)  # fmt: skip
def test_another_kind_of_weights_is_known_by_its_names(datasets, groups, what):
    found = recognise(dict.fromkeys(datasets), groups)

    assert (found and found[0]) == what
