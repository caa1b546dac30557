"""Run the tests as on a system that has none of the calls that only some systems have."""

from __future__ import annotations

import importlib.util
import mmap
import multiprocessing
import os
import sys

CALLS = ("preadv", "pread", "memfd_create", "posix_fallocate", "posix_fadvise", "sysconf", "link", "fchmod")
FLAGS = ("O_CLOEXEC", "O_NONBLOCK", "O_NOFOLLOW", "O_DIRECTORY")


def take_away():
    """Take them away from this process, after libraries that need them have been imported."""
    for name in ("torch", "tensorflow", "transformers", "keras_bert", "distributed", "allennlp.modules.elmo"):
        if importlib.util.find_spec(name.partition(".")[0]):
            importlib.import_module(name)
    for name in (*CALLS, *FLAGS):
        if hasattr(os, name):
            delattr(os, name)
    for name in ("MAP_PRIVATE", "MAP_ANONYMOUS"):
        if hasattr(mmap, name):
            delattr(mmap, name)
    sys.modules["resource"] = None
    multiprocessing.context._concrete_contexts.pop("forkserver", None)
    multiprocessing.get_all_start_methods = lambda: ["spawn"]
