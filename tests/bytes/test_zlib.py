"""The zlib that is used with and without the package zlib-ng."""

from __future__ import annotations

import subprocess
import sys
import zlib as of_python

from hypothesis import given
from hypothesis import strategies as st
from zlib_ng import zlib_ng as package
from zlib_ng.zlib_ng import crc32_combine

from safeload import testing
from safeload._bytes import zlib
from tests.archives import write_archive
from tests.docs.blocks import ROOT


@given(st.binary(max_size=300), st.binary(max_size=300), st.integers(0, 3000))
def test_the_checksum_of_two_parts_is_that_of_the_package(first, second, repeat):
    second *= repeat
    one, other = of_python.crc32(first), of_python.crc32(second)

    assert zlib.own_crc32_combine(one, other, len(second)) == of_python.crc32(first + second)
    assert zlib.own_crc32_combine(one, other, len(second)) == crc32_combine(one, other, len(second))


def test_of_sizes_that_no_test_writes_it_is_that_of_the_package():
    for power in range(63):
        assert zlib.own_crc32_combine(123, 456, 1 << power) == crc32_combine(123, 456, 1 << power)


def test_the_package_is_used_where_it_is():
    assert zlib.zlib is package
    assert zlib.crc32_combine is crc32_combine


WITHOUT = """
import sys
sys.modules["zlib_ng"] = None
import safeload

for name in ("stored.zip", "deflated.zip", "ustar.tar.gz"):
    report = safeload.check_bert(f"{sys.argv[1]}/{name}")
    print(name, report.digest, report.checksums)
    data = bytearray(open(report.files[-1].path, "rb").read())
    for at in range(len(data) // 3, len(data) // 2, 97):
        data[at] ^= 0x10
    open(f"{sys.argv[1]}/damaged-{name}", "wb").write(data)
    try:
        safeload.check_bert(f"{sys.argv[1]}/damaged-{name}")
    except safeload.errors.CorruptFileError as exc:
        print("damaged")
"""


def test_without_the_package_archives_are_read_and_damage_is_told(tmp_path):
    model = testing.write_bert(tmp_path / "model", form="safetensors")
    names = ("stored.zip", "deflated.zip", "ustar.tar.gz")
    for name in names:
        write_archive(model, tmp_path / name)
    command = [sys.executable, "-c", WITHOUT, str(tmp_path)]
    without = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, timeout=120).stdout
    command[2] = WITHOUT.replace('sys.modules["zlib_ng"] = None', "")
    with_it = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, timeout=120).stdout

    assert without == with_it
    assert without.count("damaged") == len(names)
