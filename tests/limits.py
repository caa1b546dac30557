"""Limits of the process, for tests of what happens where the system refuses."""

import contextlib
import resource
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let nothing in this process write a file past `size` bytes.

    Python does not notice that a compiled module was cut (gh-126606), and every later process fails to import it, so
    none is written meanwhile.
    """
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    compiles, sys.dont_write_bytecode = not sys.dont_write_bytecode, True
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        sys.dont_write_bytecode = not compiles
