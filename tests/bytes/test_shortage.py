"""Too little memory is said to be that, whatever the library raises that runs out of it, and never damage or a fault of a library."""

from __future__ import annotations

import errno
import subprocess
import sys

import h5py
import numpy as np
import pytest

import safeload
from safeload import testing
from safeload._boundary import typed_errors
from safeload._bytes.shortage import is_shortage
from safeload.errors import BackendError, CorruptFileError, FileSystemError

UNDER_LIMIT = """
import resource, sys
import safeload
{before}
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ({more} << 20),) * 2)
try:
    {call}
except safeload.SafeLoadError as error:
    print(type(error).__name__, getattr(error, "errno", None), error, sep="\\n")
"""


def under_limit(call, *, more, before=""):
    """Return the error of a call for which the system has only so many MB more."""
    code = UNDER_LIMIT.format(call=call, more=more, before=before)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    name, number, text = done.stdout.split("\n", 2)
    assert (name, number) == ("FileSystemError", str(errno.ENOMEM)), text
    assert "the system has not enough memory for this call" in text
    return text


def test_hdf5_in_one_large_chunk(tmp_path):
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=np.zeros(80 << 20, np.float32), chunks=(80 << 20,), compression="gzip")

    under_limit(f"safeload.check_weights({str(path)!r})", more=200, before="import h5py, numpy, zlib_ng.zlib_ng")
    assert len(safeload.check_weights(path).read) == 1


def test_values_in_numpy(tmp_path):
    folder = testing.write_bert(tmp_path / "m", vocab=1 << 20, hidden=64)

    under_limit(f"safeload.load_state_dict({str(folder)!r})", more=200, before="import crc32c, numpy, zlib_ng.zlib_ng")


def test_a_graph_of_tensorflow(tmp_path):
    pytest.importorskip("keras_bert")
    folder = testing.write_bert(tmp_path / "m", vocab=1 << 21, hidden=64, heads=False)

    text = under_limit(
        f"safeload.load_bert({str(folder)!r})",
        more=900,
        before="import keras_bert, tensorflow as tf; tf.random.normal((8, 8)); tf.zeros(8)",
    )

    assert "ResourceExhaustedError" in text


def test_a_module_of_torch(tmp_path):
    torch = pytest.importorskip("torch")
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 50)

    assert is_shortage(caught.value)

    @typed_errors
    def call(_path):
        torch.empty(1 << 50)

    with pytest.raises(FileSystemError) as typed:
        call(tmp_path)
    assert typed.value.errno == errno.ENOMEM


@pytest.mark.parametrize("outer", [BackendError, CorruptFileError])
def test_an_error_that_it_caused_says_so_too(outer):
    @typed_errors
    def call():
        try:
            np.empty(1 << 60, np.uint8)
        except MemoryError as exc:
            message = "damaged"
            raise outer(message) from exc

    with pytest.raises(FileSystemError, match="not enough memory") as caught:
        call()

    assert type(caught.value.__cause__) is outer


@pytest.mark.parametrize(
    "exc",
    [
        ValueError("x"),
        RuntimeError("the memory of a model"),
        ImportError("libgomp.so.1: cannot allocate memory in static TLS block"),
        ImportError("can't allocate memory"),
        OSError("Unable to synchronously open file (memory allocation failed for on disk image buffer)"),
        BackendError("not enough memory"),
    ],
    ids=repr,
)
def test_other_faults_are_not_taken_for_it(exc):
    assert not is_shortage(exc)
