"""What files and systems cause leaves a public call as a typed error; a bug leaves it as it is."""

from __future__ import annotations

import errno
import inspect
import json
import os
import time
from collections import UserDict
from pathlib import Path

import h5py
import numpy as np
import pytest

import safeload
from safeload import _steps, lock, settings, testing
from safeload._boundary import typed_errors
from safeload.compat import allennlp, keras_bert
from safeload.errors import (
    ArgumentError,
    ConfigError,
    FileSystemError,
    InvalidPathError,
    MissingFileError,
    UnreadableFileError,
    UnsafeFileError,
    VariableMismatchError,
)
from safeload.settings._sections import MAX_SETTINGS_BYTES
from tests.checkpoints import PREFIX
from tests.elmos import WEIGHTS_NAME
from tests.faults.hostile import merges
from tests.forms.tensorflow import index_writer as w

RAISED = {
    "recursion": (RecursionError("maximum recursion depth exceeded"), UnsafeFileError),
    "overflow": (OverflowError("int too large to convert to float"), UnsafeFileError),
    "unicode": (UnicodeEncodeError("utf-8", "\udc80", 0, 1, "surrogates not allowed"), UnsafeFileError),
    "memory": (MemoryError(1 << 40), FileSystemError),
    "disk": (OSError(errno.EIO, "Input/output error", "/a/b"), FileSystemError),
    "no path": (OSError(errno.EIO, "set TMPDIR"), FileSystemError),
    "gone": (FileNotFoundError(errno.ENOENT, "No such file or directory", "/a/b"), MissingFileError),
    "forbidden": (PermissionError(errno.EACCES, "Permission denied", "/a/b"), UnreadableFileError),
}


@pytest.mark.parametrize(("raised", "kind"), RAISED.values(), ids=RAISED)
def test_what_files_and_systems_cause_is_typed(raised, kind):
    @typed_errors
    def call(_path):
        raise raised

    with pytest.raises(kind) as caught:
        call("/given")
    error = caught.value

    assert type(error) is kind
    assert error.__cause__ is raised
    assert error.given == "/given"
    assert error.resolved == getattr(raised, "filename", None)
    if kind is FileSystemError:
        assert error.errno == (errno.ENOMEM if isinstance(raised, MemoryError) else errno.EIO)


@pytest.mark.parametrize(
    "raised", [KeyError("x"), ValueError("x"), TypeError("x"), ConfigError("x"), KeyboardInterrupt()], ids=repr
)
def test_anything_else_is_left_as_it_is(raised):
    @typed_errors
    def call(*, config):
        assert config == "x"
        raise raised

    with pytest.raises(type(raised)) as caught:
        call(config="x")
    assert caught.value is raised


PUBLIC = {
    "load_bert": (safeload.load_bert, "."),
    "check_bert": (safeload.check_bert, "."),
    "load_elmo": (safeload.load_elmo, "."),
    "check_elmo": (safeload.check_elmo, "."),
    "load_model_weights_from_checkpoint": (keras_bert.load_model_weights_from_checkpoint, None),
}


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_call_has_the_boundary(name, bert, elmo, monkeypatch):
    call, _ = PUBLIC[name]

    def fail(*_, **__):
        raise MemoryError

    monkeypatch.setattr(_steps, "check_weights", fail)
    monkeypatch.setattr(keras_bert, "check_weights", fail)
    folder = elmo if "elmo" in name else bert
    if "checkpoint" in name:
        given = (type("Model", (), {"weights": []}), json.loads((bert / "bert_config.json").read_text()), bert)
    else:
        given = (folder,)
    with pytest.raises(FileSystemError) as caught:
        call(*given)
    assert caught.value.errno == errno.ENOMEM
    assert inspect.signature(call).parameters


HAS_BOUNDARY = typed_errors(len).__code__
WITHOUT = {"report_of"}
"""Public calls that look at no file: they look up an object of this process."""


def public_calls():
    """Yield every public function, and what constructs the public classes that read files."""
    modules = (safeload, keras_bert, allennlp, testing, settings, lock)
    for module in modules:
        for name, call in vars(module).items():
            is_own = inspect.isfunction(call) and inspect.unwrap(call).__module__.startswith(module.__name__)
            if is_own and not name.startswith("_") and name not in WITHOUT:
                yield f"{module.__name__}.{name}", call
    yield "safeload.compat.allennlp.Elmo", allennlp.Elmo.__new__


INNER = {
    "typed_errors",
    "safeload.lock.lock_text",
    "safeload.lock.hash_of",
    "safeload.lock.is_canonical",
    "safeload.lock.read_lock_at",
    "safeload.lock.lock_command",
    "safeload.lock.write_again",
    "safeload.lock.with_others",
}
"""Functions that other modules of safeload call, and that only format, hash what is open, read what was found, or join what was read."""


@pytest.mark.parametrize(("name", "call"), public_calls(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_public_function_is_decorated(name, call):
    if name in INNER or name.rpartition(".")[2] in INNER:
        return
    assert call.__code__ is HAS_BOUNDARY


@pytest.mark.parametrize(("raised", "kind"), RAISED.values(), ids=RAISED)
def test_what_the_options_of_a_layer_raise_is_typed(raised, kind):
    from safeload.elmo.builders import keras_layer

    class Options(UserDict):
        def __getitem__(self, key):
            raise raised

    with pytest.raises(kind) as caught:
        keras_layer.validated(Options(lstm={}, char_cnn={}))
    assert caught.value.__cause__ is raised


def test_the_embedder_is_decorated():
    pytest.importorskip("allennlp")
    assert allennlp.ElmoTokenEmbedder.__init__.__code__ is HAS_BOUNDARY


def deep(exc):
    yield ["a"]
    raise exc


@pytest.mark.parametrize(("raised", "kind"), RAISED.values(), ids=RAISED)
@pytest.mark.parametrize("call", [safeload.character_ids, allennlp.batch_to_ids])
def test_sentences_that_fail_to_come_are_typed(call, raised, kind):
    with pytest.raises(kind) as caught:
        call(deep(raised))
    assert type(caught.value) is kind
    assert caught.value.given is None


def test_what_is_given_is_the_first_path_and_no_other_argument():
    @typed_errors
    def call(*_, **__):
        raise MemoryError

    with pytest.raises(FileSystemError) as caught:
        call([["a"]] * 10, model=object())
    assert caught.value.given is None
    with pytest.raises(FileSystemError) as caught:
        call(object(), {}, checkpoint=Path("a"))
    assert caught.value.given == Path("a")


def test_a_file_that_is_removed_during_the_check_is_told(bert, monkeypatch):
    check_weights = _steps.check_weights

    def removing(*arguments, **options):
        found = check_weights(*arguments, **options)
        os.unlink(bert / "vocab.txt")
        return found

    monkeypatch.setattr(_steps, "check_weights", removing)
    with pytest.raises(MissingFileError) as caught:
        safeload.check_bert(bert)
    assert caught.value.resolved == str(bert / "vocab.txt")


@pytest.mark.parametrize("digits", ["9" * 4000, "\u0663" * 2000, "1" * 20, "\u00b2"])
def test_a_number_in_a_name_may_have_any_length(digits, bert, elmo):
    shard = (bert / f"{PREFIX}.data-00000-of-00001").read_bytes()
    names = ["bert/embeddings/word_embeddings", f"bert/encoder/layer_{digits}/output/dense/kernel"]
    w.write_index(
        bert / PREFIX,
        {name: w.entry((1,), n_bytes=4, offset=4 * at) for at, name in enumerate(names)},
        shards=[shard[:8]],
    )
    (bert / f"{PREFIX}.data-00000-of-00001").write_bytes(bytes(8))
    with pytest.raises(VariableMismatchError):
        safeload.check_bert(bert)

    with h5py.File(elmo / WEIGHTS_NAME, "a") as file:
        file[f"CNN_high_{digits}/x"] = np.float32([1])
        file[f"RNN_0/RNN/MultiRNNCell/Cell{digits}/x"] = np.float32([1])
        file[f"CNN/W_cnn_{digits}"] = np.float32([1])
    with pytest.raises(VariableMismatchError):
        safeload.check_elmo(elmo)


@pytest.mark.parametrize("given", [np.array(5), np.array([1, 2]), np.float64(3)])
@pytest.mark.parametrize("argument", ["ignore_unused", "backend", "vocab_to_cache", "scalar_mix_parameters", "dropout"])
def test_an_array_is_no_argument(argument, given, tiny_elmo):
    if argument == "scalar_mix_parameters" and given.shape:
        given = np.array(["a", "b"])
    with pytest.raises(ArgumentError) as caught:
        safeload.load_elmo(tiny_elmo, **{argument: given})
    assert argument in str(caught.value)


@pytest.mark.parametrize("value", [np.array(5), np.array([1, 2]), {1}, object()])
@pytest.mark.parametrize("key", ["hidden_act", "hidden_size", "embedding_size", "model_type", "type_vocab_size"])
def test_a_config_dict_may_hold_anything(key, value, bert):

    config = {**json.loads((bert / "bert_config.json").read_text()), key: value}
    with pytest.raises(ConfigError):
        keras_bert.load_model_weights_from_checkpoint(type("Model", (), {"weights": []}), config, bert)


@pytest.mark.parametrize("given", ["file://[/x", "file://[::1/x", "file://"])
def test_a_file_url_that_is_none(given):
    with pytest.raises(InvalidPathError, match="file URL"):
        safeload.check_bert(given)


SETTINGS = {
    "lists in INI": ("ini", "[A]\noptions_file = x\nvocab_to_cache = " + "[" * 100_000),
    "digits in INI": ("ini", "[A]\noptions_file = x\nnum_output_representations = " + "9" * 5_000),
    "sexagesimal float": ("yaml", "A: {options_file: x, dropout: " + ":".join(["9" * 400, "1.5"]) + "}"),
    "sexagesimal of many parts": ("yaml", "A: {options_file: x, dropout: " + "1" + ":1" * 200_000 + "}"),
    "merges": ("yaml", merges()),
    "keys": ("toml", "[A]\n" + "".join(f"a{number}=1\n" for number in range(100_000))),
    "keys in JSON": ("json", '{"A": {' + ",".join(f'"a{number}":1' for number in range(90_000)) + "}}"),
    "sections": ("toml", "".join(f"[a{number}]\n" for number in range(100_000))),
    "dotted keys": (
        "toml",
        ("a." * 990 + "a{} = 1\n").replace("{}", "1")
        + "".join("b" * at + "." + "a." * 990 + "a = 1\n" for at in range(1, 400)),
    ),
    "keys below a dotted header": (
        "toml",
        "[" + "a." * 990 + "a]\n" + "".join(f"a{number}=1\n" for number in range(100_000)),
    ),
}


@pytest.mark.parametrize(("ending", "text"), SETTINGS.values(), ids=SETTINGS)
def test_settings_of_any_form_are_told_in_a_second_or_two(ending, text, tmp_path):
    assert len(text) <= MAX_SETTINGS_BYTES
    (tmp_path / f"s.{ending}").write_text(text)
    start = time.process_time()
    with pytest.raises(ConfigError):
        safeload.read_settings(tmp_path / f"s.{ending}", "A")
    assert time.process_time() - start < 10
