"""The options of a biLM, each bound from both sides."""

from __future__ import annotations

import json

import pytest

import safeload
from safeload.elmo._options import MAX_FILTERS, MAX_LAYERS, MAX_SIZE, validate_options
from safeload.errors import ConfigError
from tests.elmos import OPTIONS, options
from tests.opened import ref

REF = ref("/options.json", "options", given="o")


def problems_of(data):
    """Return the bad keys, none where the options are good."""
    try:
        validate_options(data, REF)
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
    assert validate_options(options(char_cnn={"activation": activation}), REF).activation == activation


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
        validate_options(options(char_cnn={"n_characters": value}), REF)
    assert [row.problem for row in caught.value.problems] == [problem]


@pytest.mark.parametrize("value", [40, True, 0, -5, 1 << 40, "50", None])
def test_another_length_of_words_is_told_once(value):
    data = options()
    data["char_cnn"]["max_characters_per_token"] = value
    assert problems_of(data) == ["char_cnn.max_characters_per_token"]


def hints_of(data):
    with pytest.raises(ConfigError) as caught:
        validate_options(data, REF)
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
        (
            ("dataset_reader", "model"),
            "pass its folder or its archive, which has the weights too; or the options file that its elmo_token_embedder names",
        ),
        (("lstm",), "ELMo needs a character-level biLM; pass the options of one"),
    ],
)
def test_options_of_another_model_are_known_by_all_of_its_keys(keys, hint):
    assert hints_of({key: {} for key in keys}) == (hint,)
    for key in keys if len(keys) > 1 else ():
        validate_options({**OPTIONS, key: {}}, REF)


def test_options_of_another_model_with_lstms_are_that_model_s():
    assert hints_of({"encoder": {}, "token_embedder": {}, "lstm": {}}) == ("load it with ELMoForManyLangs",)


def test_options_without_an_effect_are_listed_as_not_used(elmo):
    path = elmo / "options.json"
    options = json.loads(path.read_text())
    options["lstm"]["lr"], options["n_epochs"], options["bidirectional"] = 0.1, 10, True
    path.write_text(json.dumps(options))

    assert safeload.check_elmo(elmo).unused_keys == ("lstm.lr", "n_epochs")
