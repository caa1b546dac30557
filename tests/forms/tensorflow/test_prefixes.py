"""What a path means that is not quite a checkpoint's, and what a state file may say; empty files do."""

from __future__ import annotations

import pytest

from safeload._forms.tensorflow.prefixes import FORMS_HINT, find_checkpoint
from safeload.errors import CheckpointNotFoundError, CorruptFileError, UnsafeFileError, WrongFileKindError
from tests.opened import ref


def failure(folder, name, error=CheckpointNotFoundError):
    with pytest.raises(error) as caught:
        find_checkpoint(ref(folder / name, "checkpoint", "g"))
    assert type(caught.value) is error
    assert caught.value.given == "g"
    return caught.value


def files(folder, *names):
    for name in names:
        (folder / name).write_bytes(b"")


def test_what_is_left_of_a_checkpoint_without_index_is_listed_up_to_four(tmp_path):
    shards = [f"m.data-0000{number}-of-00005" for number in range(5)]
    files(tmp_path, *shards, "m.meta", "n.meta", "mm.meta")
    error = failure(tmp_path, "m")

    assert error.message == f"the checkpoint has no index file; found only {', '.join(shards[:4])}"
    assert error.looked_for == ("m.index",)
    assert error.resolved == str(tmp_path / "m.index")
    assert error.hints == (FORMS_HINT,)


def test_one_file_that_is_left_is_one(tmp_path):
    files(tmp_path, "m.meta")

    assert failure(tmp_path, "m").message == "the checkpoint has no index file; found only m.meta"


def test_prefixes_that_are_close_or_longer_are_offered(tmp_path):
    files(tmp_path, "model.ckpt-100.index", "model.ckpt-200.index", "other.index")

    assert failure(tmp_path, "model.ckpt-10").hints[0] == f"did you mean the prefix {tmp_path}/model.ckpt-100?"
    assert failure(tmp_path, "m").hints == tuple(
        f"did you mean the prefix {tmp_path}/model.ckpt-{number}?" for number in (100, 200)
    )
    assert failure(tmp_path, "100").hints == (FORMS_HINT,)


@pytest.mark.parametrize("ending", ["meta", "data-00000-of-00001"])
def test_a_file_whose_index_is_missing_is_told(ending, tmp_path):
    files(tmp_path, f"m.{ending}")
    error = failure(tmp_path, f"m.{ending}")

    assert error.message == f"the index file that belongs to m.{ending} is missing"
    assert error.hints == ("put m.index, from the same checkpoint, beside it",)
    assert error.looked_for == ("m.index",)
    assert error.resolved == str(tmp_path / "m.index")


@pytest.mark.parametrize(
    ("content", "found", "hint"),
    [
        (b"some text\n", "an unrecognised file", FORMS_HINT),
        (b"\x89HDF\r\n\x1a\n", "HDF5 file", FORMS_HINT),
        (b"<html>", "HTML page", "download the file again; something else was saved in its place"),
    ],
)
def test_a_single_file_is_no_checkpoint(content, found, hint, tmp_path):
    (tmp_path / "m").write_bytes(content)
    error = failure(tmp_path, "m", WrongFileKindError)

    assert (error.found, error.wanted, error.label) == (found, "a TensorFlow V2 checkpoint", "checkpoint")
    assert error.hints == (hint,)


def test_a_state_file_of_another_kind_is_told(tmp_path):
    (tmp_path / "checkpoint").write_bytes(b"<html>")
    error = failure(tmp_path, "", WrongFileKindError)

    assert (error.found, error.wanted, error.label) == ("HTML page", "a checkpoint state file", "state file")


def test_a_state_file_has_a_size(tmp_path):
    (tmp_path / "checkpoint").write_bytes(b"x" * (1 << 20))
    assert failure(tmp_path, "", CorruptFileError).hints == ("pass the checkpoint prefix itself",)
    (tmp_path / "checkpoint").write_bytes(b"x" * ((1 << 20) + 1))
    assert failure(tmp_path, "", UnsafeFileError).label == "state file"


STATES = {
    'model_checkpoint_path: "m"': "m",
    "model_checkpoint_path: 'm'": "m",
    '  model_checkpoint_path :"m"\nall_model_checkpoint_paths: "n"': "m",
    'all_model_checkpoint_paths: "n"\nmodel_checkpoint_path: "m"': "m",
    'model_checkpoint_path: "/home/author/m"': "m",
    r'model_checkpoint_path: "C:\\run\\m"': "m",
    'model_checkpoint_path: "gs://bucket/m"': "m",
    r'model_checkpoint_path: "\155"': "m",
    'model_checkpoint_path: "./sub/../m"': "m",
    'model_checkpoint_path: "sub/m"': "sub/m",
    r'model_checkpoint_path: "a\"b"': 'a"b',
    r'model_checkpoint_path: "t\tn\nr\r"': "t\tn\nr\r",
    r'model_checkpoint_path: "\\\\server\\m"': "m",
    r'model_checkpoint_path: "\X"': "X",
}


@pytest.mark.parametrize(("text", "prefix"), STATES.items(), ids=str)
def test_a_state_file_names_a_prefix_beside_it(text, prefix, tmp_path):
    (tmp_path / "sub").mkdir()
    files(tmp_path, "m.index", "n.index", "sub/m.index", 'a"b.index', "t\tn\nr\r.index", "X.index")
    (tmp_path / "checkpoint").write_text(text)
    for given, form in (
        (tmp_path, "folder with a checkpoint state file"),
        (tmp_path / "checkpoint", "checkpoint state file"),
    ):
        place = find_checkpoint(ref(given, "checkpoint", str(given)))
        assert (place.ref.path, place.place) == (str(tmp_path / prefix), form)
        assert place.state_file == str(tmp_path / "checkpoint")


@pytest.mark.parametrize("listed", ["m\0", r"m\000"])
def test_a_state_file_with_a_nul_in_its_path_is_an_error(listed, tmp_path):
    files(tmp_path, "m.index")
    (tmp_path / "checkpoint").write_text(f'model_checkpoint_path: "{listed}"')
    with pytest.raises((CorruptFileError, WrongFileKindError)):
        find_checkpoint(ref(tmp_path, "checkpoint", str(tmp_path)))


def test_a_state_file_may_name_its_own_folder_in_full(tmp_path):
    files(tmp_path, "m.index")
    for listed in (f"{tmp_path}/m", f"{tmp_path}//m"):
        (tmp_path / "checkpoint").write_text(f'model_checkpoint_path: "{listed}"')
        place = find_checkpoint(ref(tmp_path / "checkpoint", "checkpoint", f"{tmp_path}/checkpoint/"))
        assert (place.ref.path, place.place) == (listed, "checkpoint state file")


def test_a_folder_whose_name_ends_like_a_state_file_is_a_folder(tmp_path):
    folder = tmp_path / "my_checkpoint"
    folder.mkdir()
    files(folder, "m.index")
    (folder / "checkpoint").write_text('model_checkpoint_path: "m"')

    assert find_checkpoint(ref(folder, "checkpoint", str(folder))).place == "folder with a checkpoint state file"


def test_a_state_file_that_is_not_there_is_a_prefix_without_checkpoint(tmp_path):
    assert failure(tmp_path, "checkpoint").message == "there is no TensorFlow checkpoint with this prefix"


def test_three_checkpoints_one_level_down_are_offered(tmp_path):
    for number in range(4):
        (tmp_path / f"d{number}").mkdir()
        files(tmp_path / f"d{number}", "m.index")

    offered = [f"there is one a level deeper: pass {tmp_path}/d{number}/m" for number in range(3)]
    assert failure(tmp_path, "").hints == (*offered, FORMS_HINT)


@pytest.mark.parametrize("listed", ["../m", "sub/../../m", "..", "."])
def test_a_state_file_leads_nowhere_but_down(listed, tmp_path):
    (tmp_path / "checkpoint").write_text(f'model_checkpoint_path: "{listed}"')
    error = failure(tmp_path, "", UnsafeFileError)

    assert error.context == (("leads to", listed),)
    assert (error.resolved, error.label) == (str(tmp_path / "checkpoint"), "state file")
    assert error.hints == ("pass the checkpoint prefix itself, if that is the one you mean",)


@pytest.mark.parametrize("listed", [r"..\\m", r"sub\\..\\..\\m", r"sub/..\\../m"])
def test_a_state_file_with_backslashes_leads_nowhere_but_down(listed, tmp_path):
    (tmp_path / "sub").mkdir()
    files(tmp_path.parent, "m.index")
    (tmp_path / "checkpoint").write_text(f'model_checkpoint_path: "{listed}"')

    assert type(failure(tmp_path, "", UnsafeFileError)) is UnsafeFileError


@pytest.mark.parametrize(
    ("listed", "prefix"),
    [
        (r"sub\\m", "sub/m"),
        (r"sub\\..\\m", "m"),
        (r"C:\\runs\\sub\\m", "m"),
        (r"literal\\m", r"literal\m"),
        ("mode\u0300le", "mod\u00e8le"),
    ],
)
def test_a_state_file_of_another_system_names_the_same_prefix(listed, prefix, tmp_path):
    (tmp_path / "sub").mkdir()
    files(tmp_path, "m.index", "sub/m.index", r"literal\m.index", "mod\u00e8le.index")
    (tmp_path / "checkpoint").write_text(f'model_checkpoint_path: "{listed}"', encoding="utf-8")

    assert find_checkpoint(ref(tmp_path, "checkpoint", tmp_path)).ref.path == f"{tmp_path}/{prefix}"


def test_a_state_file_that_names_what_is_gone_offers_three_prefixes(tmp_path):
    files(tmp_path, *(f"m{number}.index" for number in range(4)))
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "gone"')
    error = failure(tmp_path, "")

    assert error.hints == tuple(f"pass the prefix itself: {tmp_path}/m{number}" for number in range(3))
    assert error.context[:2] == (("state file", str(tmp_path / "checkpoint")), ("it names", "gone"))
    assert (error.resolved, error.looked_for) == (str(tmp_path / "gone.index"), ("gone.index",))


@pytest.mark.parametrize(
    "name", ["saved_model.pb", "tfhub_module.pb", "pytorch_model.bin", "model.safetensors", "tf_model.h5"]
)
def test_weights_of_another_format_are_named(name, tmp_path):
    (tmp_path / name).touch()
    with pytest.raises(CheckpointNotFoundError) as caught:
        find_checkpoint(ref(tmp_path, "checkpoint", tmp_path))

    assert caught.value.hints[0] == f"{name} is another format; safeload reads TensorFlow V2 checkpoints"
