from __future__ import annotations

import inspect

import pytest

import safeload
from safeload.elmo._arguments import ElmoArguments, elmo_arguments, require_options_allow, vocabulary_notes
from safeload.elmo._options import validate_options
from safeload.errors import ArgumentError
from tests.elmos import OPTIONS_NAME, options, write_elmo
from tests.opened import ref

NAN = float("nan")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_output_representations": 0}, "num_output_representations must be an int from 1 to 1000, not 0"),
        ({"num_output_representations": True}, "num_output_representations must be an int from 1 to 1000, not True"),
        ({"num_output_representations": "weights.hdf5"}, "num_output_representations must be an int from 1 to 1000"),
        ({"num_output_representations": 10**30}, "num_output_representations must be an int from 1 to 1000"),
        ({"num_output_representations": 1001}, "num_output_representations must be an int from 1 to 1000, not 1001"),
        ({"dropout": -0.1}, "dropout must be a number from 0 to 1, not -0.1"),
        ({"dropout": 1.5}, "dropout must be a number from 0 to 1, not 1.5"),
        ({"dropout": NAN}, "dropout must be a number from 0 to 1, not nan"),
        ({"dropout": "0.5"}, "dropout must be a number from 0 to 1, not '0.5'"),
        ({"requires_grad": 1}, "requires_grad must be a bool, not 1"),
        ({"do_layer_norm": None}, "do_layer_norm must be a bool, not None"),
        ({"keep_sentence_boundaries": "yes"}, "keep_sentence_boundaries must be a bool, not 'yes'"),
        ({"vocab_to_cache": "words.txt"}, "vocab_to_cache must be a list of words, not 'words.txt'"),
        ({"vocab_to_cache": 3}, "vocab_to_cache must be a list of words, not 3"),
        ({"vocab_to_cache": b"words"}, "vocab_to_cache must be a list of words, not b'words'"),
        ({"vocab_to_cache": []}, "vocab_to_cache must be a list of words that is not empty"),
        ({"vocab_to_cache": ["a", 3]}, "vocab_to_cache must be a list of words, not 3"),
        (
            {"scalar_mix_parameters": [0, 1]},
            "scalar_mix_parameters must be 3 numbers, one for the characters and one for",
        ),
        ({"scalar_mix_parameters": [0, 1, NAN]}, "scalar_mix_parameters must be a list of finite numbers"),
        ({"scalar_mix_parameters": [0, 1, 2, 3]}, "scalar_mix_parameters must be 3 numbers, one for the characters"),
        ({"scalar_mix_parameters": "012"}, "scalar_mix_parameters must be a list of numbers, not '012'"),
        ({"scalar_mix_parameters": 3}, "scalar_mix_parameters must be a list of numbers, not 3"),
        ({"stateful": 1}, "stateful must be a bool, not 1"),
        (
            {"vocab_to_cache": ["a"], "backend": "keras"},
            "vocab_to_cache must be None with backend='keras', not",
        ),
        ({"backend": "tensorflow"}, "backend must be one of auto, allennlp, torch, keras, not 'tensorflow'"),
        ({"ignore_unused": "RNN_*"}, "ignore_unused must be a list of patterns, not 'RNN_*'"),
        ({"ignore_unused": [3]}, "ignore_unused must be a list of patterns, not 3"),
    ],
    ids=str,
)
def test_a_bad_argument_is_told(arguments, message, tiny_elmo):
    with pytest.raises(ArgumentError) as caught:
        safeload.load_elmo(tiny_elmo, **arguments)

    assert caught.value.message.startswith(message)
    assert caught.value.argument == next(iter(arguments))
    assert caught.value.hints


SOUND = {
    "num_output_representations": 1, "requires_grad": False, "do_layer_norm": True, "dropout": 0.5, "vocab_to_cache": None,
    "keep_sentence_boundaries": True, "scalar_mix_parameters": None, "stateful": None, "backend": "auto",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_output_representations", 1),
        ("num_output_representations", 1000),
        ("dropout", 0),
        ("dropout", 1),
        ("vocab_to_cache", ("the", "a")),
        ("scalar_mix_parameters", (0, 1.5, -2)),
        ("scalar_mix_parameters", "stored"),
        ("stateful", False),
        *(("backend", backend) for backend in ("auto", "allennlp", "torch", "keras")),
    ],
    ids=str,
)
def test_the_bounds_themselves_are_good_arguments(name, value):
    arguments = elmo_arguments(**{**SOUND, name: value})

    assert arguments._asdict() == {**SOUND, name: value, "gamma": 1}
    assert elmo_arguments(**{**SOUND, name: list(value) if isinstance(value, tuple) else value}) == arguments
    require_options_allow(arguments, validate_options(options(), ref("/o", "options")))


def test_what_is_left_out_is_as_load_elmo_has_it():
    parameters = inspect.signature(safeload.load_elmo).parameters
    arguments = elmo_arguments(num_output_representations=1, backend="auto")

    assert arguments._asdict() == {
        "gamma": 1,
        **{name: parameters[name].default for name in ElmoArguments._fields if name != "gamma"},
    }


def test_what_the_options_contradict_is_told_with_their_path():
    two_layers = validate_options(options(lstm={"use_skip_connections": False}), ref("/o", "options"))
    for changes, hint in (
        ({"scalar_mix_parameters": [0]}, "pass 3 numbers, or leave it out to learn them"),
        ({"backend": "allennlp"}, "pass backend='torch': safeload's own biLM supports both"),
    ):
        with pytest.raises(ArgumentError) as caught:
            require_options_allow(elmo_arguments(**{**SOUND, **changes}), two_layers)
        assert caught.value.argument == next(iter(changes))
        assert (caught.value.resolved, caught.value.label) == ("/o", "options")
        assert caught.value.hints == (hint,)
    require_options_allow(elmo_arguments(**{**SOUND, "backend": "torch"}), two_layers)


@pytest.mark.parametrize("first", ["@@PADDING@@", "[PAD]", "<pad>"])
def test_a_first_word_for_padding_is_known_by_its_brackets(first):
    assert vocabulary_notes(elmo_arguments(**{**SOUND, "vocab_to_cache": [first, "a"]})) == []
    assert vocabulary_notes(elmo_arguments(**SOUND)) == []


def test_training_with_cached_words_is_noted():
    arguments = elmo_arguments(**{**SOUND, "vocab_to_cache": ["@@PADDING@@"], "requires_grad": True})

    assert [note.partition(":")[0] for note in vocabulary_notes(arguments)] == ["requires_grad with vocab_to_cache"]


def test_allennlp_cannot_build_without_skip_connections(elmo):
    write_elmo(elmo, options(lstm={"use_skip_connections": False}))

    with pytest.raises(ArgumentError, match="which AllenNLP cannot build") as caught:
        safeload.load_elmo(elmo, backend="allennlp")
    assert caught.value.resolved == str(elmo / OPTIONS_NAME)
    assert safeload.report_of(safeload.load_elmo(elmo)).backend == "torch"


@pytest.mark.parametrize(
    ("words", "note"),
    [
        (["the", "a"], "vocab_to_cache starts with 'the', but word id 0 is padding"),
        (["@@PADDING@@", "a", "a"], "vocab_to_cache repeats 1 of its 3 words"),
        (["<pad>", "a"], ""),
    ],
)
def test_odd_words_to_cache_are_noted(words, note, tiny_elmo):
    notes = safeload.report_of(safeload.load_elmo(tiny_elmo, vocab_to_cache=words, backend="torch")).notes

    assert [text[: len(note)] for text in notes] == ([note] if note else [])


def test_unexpected_datasets_are_ignored_by_name(elmo):
    from tests.elmos import WEIGHTS_NAME, random_datasets, write_weights

    extra = {"adapter/kernel": random_datasets()["char_embed"], "softmax/W": random_datasets()["char_embed"]}
    write_weights(elmo / WEIGHTS_NAME, {**random_datasets(), **extra})
    report = safeload.check_elmo(elmo, ignore_unused=["adapter/*"])

    assert report.ignored == ("adapter/kernel",)
    assert report.unused == {"training": ("softmax/W",)}
    with pytest.raises(safeload.SafeLoadError, match="1 unexpected"):
        safeload.check_elmo(elmo)
