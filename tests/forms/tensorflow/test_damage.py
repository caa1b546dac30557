"""Damage, byte by byte: a typed error, or the values that were saved."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safeload._forms.tensorflow.sstable import MAGIC, N_FOOTER_BYTES, part_key, read_table, varint
from safeload._forms.weight_file import WeightFile
from safeload.errors import CheckpointNotFoundError, CorruptFileError, SafeLoadError
from tests.forms.laws import LAW
from tests.forms.tensorflow.both_readers import bits, read_all, small
from tests.forms.tensorflow.index_writer import block, entry, header, sealed, slice_of, table
from tests.opened import opened_checkpoint

N_PLACE_BYTES = 8  # of the footer: the places of two blocks, which no checksum covers
MASKS = (*(1 << bit for bit in range(8)), 0xFF, 0x81)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return a checkpoint's prefix, the two files' bytes, and the values' bits."""
    prefix, _ = small(tmp_path_factory.mktemp("saved"))
    index, shard = prefix.with_suffix(".ckpt.index"), prefix.with_suffix(".ckpt.data-00000-of-00001")
    values = {name: bits(array) for name, array in read_all(prefix).items()}
    return prefix, index.read_bytes(), shard.read_bytes(), values


@pytest.fixture
def copy(saved, tmp_path):
    """Return the paths of a copy's prefix, index file and shard."""
    for path in saved[0].parent.iterdir():
        shutil.copy(path, tmp_path)
    prefix = tmp_path / saved[0].name
    return prefix, tmp_path / f"{prefix.name}.index", tmp_path / f"{prefix.name}.data-00000-of-00001"


def outcome(prefix):
    """Return the values' bits, or the type of the typed error; anything else escapes."""
    try:
        return {name: bits(array) for name, array in read_all(prefix).items()}
    except SafeLoadError as error:
        return type(error) if str(error).isascii() else None


def test_a_changed_byte_of_the_index_file_is_found_or_harmless(saved, copy):
    prefix, index, _ = copy
    data = bytearray(saved[1])
    footer = len(data) - N_FOOTER_BYTES
    harmless = set()
    for at in range(len(data)):
        good = data[at]
        in_a_place = footer <= at < footer + N_PLACE_BYTES
        for byte in {*range(256)} - {good} if in_a_place else [good ^ mask for mask in MASKS]:
            data[at] = byte
            index.write_bytes(data)
            found = outcome(prefix)
            assert found == saved[3] or issubclass(found, SafeLoadError), (at, byte)
            if found == saved[3]:
                harmless.add(at)
        data[at] = good

    place_of_meta, _ = varint(data, footer)
    unread = {*range(place_of_meta, place_of_meta + len(sealed(block([])))), *range(footer, len(data) - len(MAGIC))}
    assert harmless <= unread


def test_a_truncated_index_file_is_found(saved, copy):
    prefix, index, _ = copy
    for n_left in range(len(saved[1])):
        index.write_bytes(saved[1][:n_left])
        assert issubclass(outcome(prefix), SafeLoadError), n_left


@pytest.mark.parametrize("appended", [b"\0", b"\n", bytes(48), b"57fb808b"])
def test_an_index_file_with_bytes_appended_is_refused(appended, saved, copy):
    prefix, index, _ = copy
    index.write_bytes(saved[1] + appended)

    assert outcome(prefix) is CorruptFileError


@pytest.mark.parametrize("use", [WeightFile.verify, WeightFile.read])
@pytest.mark.parametrize("mask", MASKS, ids=hex)
def test_a_changed_byte_of_the_shard_names_the_variable_that_has_it(use, mask, saved, copy):
    prefix, _, shard = copy
    data = bytearray(saved[2])
    for at in range(len(data)):
        data[at] ^= mask
        shard.write_bytes(data)
        data[at] ^= mask
        with opened_checkpoint(str(prefix)) as bundle:
            hit = [name for name, row in bundle.variables.items() if row.offset <= at < row.offset + row.n_bytes]
            with pytest.raises(CorruptFileError) as caught:
                use(bundle, bundle.variables)
            assert caught.value.variables == tuple(hit)
            assert caught.value.resolved == str(shard)
            use(bundle, set(bundle.variables) - set(hit))


def test_a_truncated_shard_names_what_is_lost(saved, copy):
    prefix, _, shard = copy
    with opened_checkpoint(str(prefix)) as bundle:
        ends = {name: row.offset + row.n_bytes for name, row in bundle.variables.items()}
    for n_left in range(len(saved[2])):
        shard.write_bytes(saved[2][:n_left])
        with pytest.raises(CorruptFileError, match="truncated") as caught:
            opened_checkpoint(str(prefix))
        assert caught.value.variables == tuple(sorted(name for name, end in ends.items() if end > n_left))


@settings(LAW, max_examples=300)
@given(data=st.data())
def test_random_bytes_over_any_part_of_either_file_never_escape_untyped(data, saved, copy):
    prefix, index, shard = copy
    for path, good in ((index, saved[1]), (shard, saved[2])):
        start = data.draw(st.integers(0, len(good)))
        middle = data.draw(st.binary(max_size=40))
        stop = start + data.draw(st.sampled_from([0, len(middle)]))
        path.write_bytes(good[:start] + middle + good[stop:])

    found = outcome(prefix)

    assert found == saved[3] or issubclass(found, SafeLoadError)


def test_a_resealed_index_file_never_escapes_untyped(saved, copy):
    prefix, index, _ = copy
    rows = list(read_table(saved[1]))
    kinds = set()
    for number, (key, value) in enumerate(rows):
        for at in range(len(value)):
            for byte in (*range(0, 256, 5), value[at] ^ 1, value[at] ^ 0x80, 0x7F, 0x80):
                changed = value[:at] + bytes([byte]) + value[at + 1 :]
                index.write_bytes(table([*rows[:number], (key, changed), *rows[number + 1 :]]))
                found = outcome(prefix)
                kinds.add(found if isinstance(found, type) else "read")

    assert kinds >= {"read", CorruptFileError, CheckpointNotFoundError}


proto_ints = st.sampled_from([0, 1, 2, 7, 19, 21, 127, 1 << 31, 1 << 62, (1 << 63) - 1, -1, -(1 << 63)])
extents = st.none() | st.tuples(proto_ints, proto_ints)
entries = st.builds(
    lambda shape, dtype, shard, offset, n_bytes, slices: entry(
        shape, dtype=dtype, shard=shard, offset=offset, n_bytes=n_bytes, slices=[slice_of(*parts) for parts in slices]
    ),
    st.lists(proto_ints, max_size=3) | st.just([1] * 255),
    st.integers(0, 40),
    st.sampled_from([0, 0, 1, -1]),
    proto_ints,
    proto_ints | st.just(16),
    st.lists(st.lists(extents, max_size=3), max_size=2),
)


@settings(LAW, max_examples=1000)
@given(value=entries | st.binary(max_size=30), head=st.just(header()) | st.binary(max_size=12))
def test_an_invented_entry_never_escapes_untyped(value, head, copy):
    prefix, index, shard = copy
    index.write_bytes(table([(b"", head), (part_key(b"v", ((0, 1),)), value), (b"v", value)]))
    shard.write_bytes(bytes(16))

    outcome(prefix)
