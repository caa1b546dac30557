from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from safeload.errors import (
    CheckpointNotFoundError,
    CorruptFileError,
    FileSystemError,
    UnsafeFileError,
    WrongFileKindError,
)
from tests.checkpoints import write_sharded
from tests.forms.tensorflow.both_readers import assert_same, listed_by_safeload, small
from tests.opened import opened_checkpoint

GIVEN = "what the caller passed"
A, B, C = np.float32([1, 2]), np.float32([3, 4, 5]), np.float32([6])


@pytest.fixture
def prefix(tmp_path):
    """Return the prefix of a checkpoint with `a`, `b` and `c` in a shard each."""
    write_sharded(tmp_path / "m", {"a": A}, {"b": B}, {"c": C})
    return tmp_path / "m"


def shard_of(prefix, number=1, n_shards=3):
    return prefix.with_name(f"{prefix.name}.data-{number:05d}-of-{n_shards:05d}")


def label_of(error):
    """Return the text before the resolved path in the message."""
    return next(line.split(":")[0].strip() for line in str(error).splitlines() if line.endswith(error.resolved))


def test_a_missing_shard_is_named(prefix):
    shard_of(prefix).unlink()

    with pytest.raises(CheckpointNotFoundError, match="1 of the checkpoint's 3 data shards is missing") as caught:
        opened_checkpoint(str(prefix))

    assert caught.value.resolved == str(shard_of(prefix))
    assert caught.value.looked_for == ("m.data-00001-of-00003",)


def test_every_missing_shard_is_looked_for(prefix):
    shard_of(prefix, 0).unlink()
    shard_of(prefix, 2).unlink()

    with pytest.raises(CheckpointNotFoundError) as caught:
        opened_checkpoint(str(prefix))

    assert caught.value.looked_for == ("m.data-00000-of-00003", "m.data-00002-of-00003")


SPOILED = {
    "a_directory": (lambda path: (path.unlink(), path.mkdir()), WrongFileKindError),
    "a_fifo": (lambda path: (path.unlink(), os.mkfifo(path)), UnsafeFileError),
    "a_dangling_link": (lambda path: (path.unlink(), path.symlink_to("nowhere")), CheckpointNotFoundError),
    "empty": (lambda path: path.write_bytes(b""), CorruptFileError),
    "one_byte_short": (lambda path: path.write_bytes(bytes(11)), CorruptFileError),
    "one_byte_more": (lambda path: path.write_bytes(bytes(13)), CorruptFileError),
    "an_lfs_pointer": (
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n"),
        WrongFileKindError,
    ),
    "other_text": (lambda path: path.write_text("no weights"), CorruptFileError),
    "an_xml_page": (lambda path: path.write_text("<?xml version='1.0'?><Error/>"), WrongFileKindError),
    "an_html_page": (lambda path: path.write_text("<!DOCTYPE html><html></html>"), WrongFileKindError),
}


@pytest.mark.parametrize(("spoil", "error"), SPOILED.values(), ids=SPOILED)
def test_a_spoiled_shard_is_named_although_no_variable_of_it_is_read(spoil, error, prefix):
    spoil(shard_of(prefix))

    with pytest.raises(error) as caught:
        opened_checkpoint(str(prefix), given=GIVEN)

    assert (caught.value.resolved, caught.value.given) == (str(shard_of(prefix)), GIVEN)
    assert label_of(caught.value) == "shard"


def test_a_short_shard_says_what_is_lost(prefix):
    shard_of(prefix).write_bytes(bytes(4))

    with pytest.raises(CorruptFileError, match="it lacks 8 bytes of 1 variable") as caught:
        opened_checkpoint(str(prefix))

    assert (caught.value.variables, caught.value.offset) == (("b",), 4)


def test_bytes_beyond_the_index_are_counted(prefix):
    shard_of(prefix, 2).write_bytes(bytes(4 + 1500))

    with pytest.raises(CorruptFileError, match="1,500 bytes more than its index file accounts for") as caught:
        opened_checkpoint(str(prefix))

    assert caught.value.variables == ()


def test_a_link_to_a_shard_elsewhere_is_followed(prefix, tmp_path):
    (tmp_path / "blobs").mkdir()
    shutil.move(shard_of(prefix), tmp_path / "blobs" / "b")
    shard_of(prefix).symlink_to(tmp_path / "blobs" / "b")

    assert_same(prefix)


def test_the_index_of_another_checkpoint_with_other_sizes_is_found(prefix, tmp_path):
    write_sharded(tmp_path / "other", {"a": A}, {"b": B, "d": B}, {"c": C})
    shutil.copy(tmp_path / "other.index", tmp_path / "m.index")

    with pytest.raises(CorruptFileError, match="truncated") as caught:
        opened_checkpoint(str(prefix))

    assert caught.value.variables == ("d",)


def test_the_index_of_another_checkpoint_with_the_same_sizes_is_found_by_its_checksums(prefix, tmp_path):
    write_sharded(tmp_path / "other", {"a": A + 1}, {"b": B + 1}, {"c": C + 1})
    shutil.copy(tmp_path / "other.index", tmp_path / "m.index")

    with opened_checkpoint(str(prefix)) as bundle, pytest.raises(CorruptFileError) as caught:
        bundle.verify(bundle.variables)

    assert caught.value.variables == ("a", "b", "c")
    assert any("belongs to another index file" in hint for hint in caught.value.hints)


def test_an_unchanged_checkpoint_is_said_to_be_unchanged(prefix):
    with opened_checkpoint(str(prefix)) as bundle:
        bundle.verify(bundle.variables)
        bundle.require_unchanged()


CHANGES = {
    "replaced_by_other_bytes": lambda path: os.replace(_written(path, bytes(12)), path),
    "replaced_by_the_same_bytes": lambda path: os.replace(_written(path, path.read_bytes()), path),
    "removed": lambda path: path.unlink(),
    "written_to": lambda path: (path.write_bytes(bytes(12)), os.utime(path, ns=(1, 1))),
    "appended_to": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "cut_off": lambda path: os.truncate(path, 3),
    "replaced_by_a_file_of_the_same_age": lambda path: _keeping_its_age(path, CHANGES["replaced_by_other_bytes"]),
    "cut_off_at_the_same_age": lambda path: _keeping_its_age(path, CHANGES["cut_off"]),
}


def _written(path, data):
    other = path.with_name("other")
    other.write_bytes(data)
    return other


def _keeping_its_age(path, change):
    status = path.stat()
    change(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_shard_that_changes_while_it_is_open_is_named(change, prefix):
    with opened_checkpoint(str(prefix), given=GIVEN) as bundle:
        change(shard_of(prefix))
        with pytest.raises(CorruptFileError, match="replaced or written to") as caught:
            bundle.require_unchanged()

    assert (caught.value.resolved, caught.value.given) == (str(shard_of(prefix)), GIVEN)
    assert caught.value.hints == ("load again when nothing writes to the folder",)
    assert label_of(caught.value) == "shard"


def test_a_shard_that_is_replaced_while_it_is_open_is_read_as_it_was_opened(prefix):
    with opened_checkpoint(str(prefix)) as bundle:
        os.replace(_written(shard_of(prefix), bytes(12)), shard_of(prefix))
        assert np.array_equal(bundle.read(["b"])["b"], B)


def test_a_shard_rewritten_in_place_after_the_check_names_the_variable(prefix):
    with opened_checkpoint(str(prefix)) as bundle:
        bundle.verify(bundle.variables)
        with shard_of(prefix).open("r+b") as file:
            file.write(np.float32([9]).tobytes())
        with pytest.raises(CorruptFileError, match="CHECKSUM") as caught:
            bundle.read(bundle.variables)

    assert (caught.value.variables, caught.value.resolved) == (("b",), str(shard_of(prefix)))


def test_a_shard_cut_off_after_the_check_is_an_error_not_a_signal(prefix):
    with opened_checkpoint(str(prefix)) as bundle:
        bundle.verify(bundle.variables)
        os.truncate(shard_of(prefix), 5)
        with pytest.raises(CorruptFileError, match="the file ended at byte 5 while it was being read") as caught:
            bundle.read(bundle.variables)

    assert caught.value.variables == ("b",)
    assert not any("diverged" in hint for hint in caught.value.hints)


def test_the_files_are_closed_after_use_and_after_a_failure(prefix):
    before = len(os.listdir("/proc/self/fd"))
    with opened_checkpoint(str(prefix)):
        assert len(os.listdir("/proc/self/fd")) == before + 3
    shard_of(prefix, 2).write_bytes(b"")
    with pytest.raises(CorruptFileError):
        opened_checkpoint(str(prefix))

    assert len(os.listdir("/proc/self/fd")) == before


def test_more_shards_than_the_system_opens_is_a_typed_error(tmp_path):
    resource = pytest.importorskip("resource")
    write_sharded(tmp_path / "m", *({f"v{number}": A} for number in range(40)))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 20, limits[1]))
    try:
        with pytest.raises(FileSystemError, match="Too many open files") as caught:
            opened_checkpoint(str(tmp_path / "m"), given=GIVEN)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    assert caught.value.resolved.startswith(f"{tmp_path}/m.data-")
    assert label_of(caught.value) == "shard"
    assert caught.value.given == GIVEN
    assert caught.value.hints == ("allow this process more open files: ulimit -n",)
    assert len(listed_by_safeload(tmp_path / "m")) == 40


def test_the_paths_of_a_checkpoint_are_its_files(tmp_path):
    prefix, _ = small(tmp_path)

    with opened_checkpoint(str(prefix)) as bundle:
        paths = bundle.files()

    assert sorted(path for _, path in paths) == sorted(map(str, tmp_path.iterdir()))
    assert [role for role, _ in paths] == ["index", "shard"]
