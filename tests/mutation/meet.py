"""How mutants meet tests: each in a process of its own, forked from one that has imported and collected the tests.

A mutant of a function's body is put into the function's place there. A mutant of a table of the module, or of a
default value, is there from the module's import on, which costs another collection of the tests.

TensorFlow survives a fork only as long as it was imported and not used; so nothing runs before the forks.
"""

from __future__ import annotations

import gc
import importlib.abc
import importlib.machinery
import importlib.util
import os
import pickle
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
import types
from collections import Counter
from pathlib import Path

import pytest

from tests.mutation.running import WATCH, calm, first_failure, passes

ROOT = Path(__file__).parents[2]
MAX_BYTES = 6 << 30
MAX_WATCHED = 200
"""Calls of a function in a test; to watch a million would take minutes."""
ANY = "any"
FRAMEWORKS = {"tensorflow": 0.7, "torch": 0.1}
"""Seconds that the first use of each costs a process in which it is imported."""
SECONDS_OF_AN_IMPORT = 4

LIVES, KILLED, UNMET = "no test fails", "killed", "no test runs it"
OPTIONS = [
    "-o",
    "addopts=--import-mode=importlib",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "-p",
    "no:faulthandler",
    "-s",
    "--assert=plain",
]


class Trial:
    """Modules, and the tests that their mutants meet.

    Attributes:
        seconds: Test -> processor time without a mutant.
        runs: Test that passes without a mutant -> (file, line) of each line of the modules that it runs; of a function
            that it calls too often to be watched further, minus its first line.
        kills: (module, test) -> how many of the module's mutants it killed.
    """

    def __init__(self, modules, tests, max_seconds):
        self.modules = modules
        self.tests = tests
        self.max_seconds = max_seconds
        self.seconds, self.runs = {}, {}
        self.kills = Counter()
        self.output = os.dup(1)
        self.folder = tempfile.mkdtemp(prefix="mutation")

    def run(self):
        """Let every mutant live once; its module keeps what became of it."""
        gc.freeze()
        self.seconds, self.runs, self.kills, fates = in_fork(lambda: self.session(Replacing(self)))
        for module in self.modules:
            module.fates = fates[module.path]
            for mutant in module.mutants:
                if not mutant.place.function:
                    self.meet(module, mutant, lambda m=module, each=mutant: self.session(Importing(self, m, each)))
        shutil.rmtree(self.folder, ignore_errors=True)

    def session(self, plugin):
        """Run pytest with `plugin` in the place of its loop; return the plugin's answer."""
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        pytest.main([*OPTIONS, f"--basetemp={self.folder}/tests", *self.tests], plugins=[plugin, WATCH])
        return plugin.answer

    def chosen(self, module, mutant):
        """Return the tests that run the mutant's lines, or all for a mutant of a table: those that killed most first."""
        lines = {(module.file, line) for line in (*mutant.place.lines, -mutant.place.function, ANY)}
        names = [name for name, run in self.runs.items() if run & lines or not mutant.place.function]
        near = {name for name in names if any(file == module.file for file, _ in self.runs[name])}
        names.sort(
            key=lambda name: (-self.kills[module.path, name], *self._rank(mutant, name, near), self.seconds[name])
        )
        chosen, total = [], 0.0
        for name in names:
            cost = min(self.seconds[name], self.max_seconds / 8)  # the first of a session pays for what all share
            if total + cost <= self.max_seconds:
                chosen.append(name)
                total += cost
        return chosen

    def _rank(self, mutant, name, near):
        """Return whether the test is slow, and the place in the plan of its file; before it, whether a function is far."""
        at = next((at for at, test in enumerate(self.tests) if name.startswith(test)), len(self.tests))
        is_slow = self.seconds[name] > self.max_seconds / 20
        return (name not in near, is_slow, at) if mutant.place.function else (is_slow, at)

    def meet(self, module, mutant, use):
        """Let the mutant live in a process that calls `use`, which returns the test that failed, or ""."""
        chosen = self.chosen(module, mutant)
        fate = UNMET
        if chosen:
            try:
                killer = in_fork(use, 2 + 3 * sum(self.seconds[name] for name in chosen))
                self.kills[module.path, killer] += 1
                fate = KILLED if killer else LIVES
            except ChildProcessError:
                fate = KILLED  # it hung, crashed or took all memory
        module.fates[mutant.name] = fate
        if fate != KILLED and mutant.name not in module.argued:
            os.write(self.output, f"{fate}: {module.path}, {mutant.name}\n".encode())

    def first_run(self, items):
        """Run every test; return their times, and which lines each runs."""
        runs, seconds = {}, {}
        files = {module.file for module in self.modules}
        current, others, watched = set(), set(), Counter()
        imported = set(FRAMEWORKS).intersection(sys.modules)

        def trace_call(frame, _event, _arg):
            code = frame.f_code
            if code.co_filename not in files:
                others.update(name for name in FRAMEWORKS if f"/{name}/" in code.co_filename)
                return None
            watched[code] += 1
            if watched[code] > MAX_WATCHED:
                current.add((code.co_filename, -code.co_firstlineno))
                return None
            return trace_line

        def trace_line(frame, _event, _arg):
            current.add((frame.f_code.co_filename, frame.f_lineno))
            return trace_line

        for item, following in zip(items, [*items[1:], None], strict=True):
            current, others, watched = set(), set(), Counter()
            start = time.process_time()
            sys.settrace(trace_call)
            threading.settrace(trace_call)
            try:
                passed = passes(item, following)
                lost = sys.gettrace() is not trace_call  # in so deep a recursion that there was no room to watch it
            finally:
                sys.settrace(None)
                threading.settrace(None)
            first_use = sum(
                cost if name in imported else SECONDS_OF_AN_IMPORT
                for name, cost in FRAMEWORKS.items()
                if name in others
            )
            seconds[item.nodeid] = time.process_time() - start + first_use
            if passed and lost:
                current = {(file, ANY) for file in files}
            if passed:
                runs[item.nodeid] = frozenset(current)
        return seconds, runs


def in_fork(use, seconds=0):
    """Return what `use` returns in a forked process, which has so much of the processor's time.

    Raises:
        ChildProcessError: It ended without an answer.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        if seconds:
            signal.alarm(15 + int(3 * seconds))
            resource.setrlimit(resource.RLIMIT_CPU, (1 + int(seconds), 2 + int(seconds)))
            resource.setrlimit(resource.RLIMIT_DATA, (MAX_BYTES, MAX_BYTES))
        try:
            with os.fdopen(writer, "wb") as pipe:
                pickle.dump(use(), pipe)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    if not answer:
        raise ChildProcessError
    return pickle.loads(answer)


class Replacing:
    """A session that collects once; each mutant takes a function's place in a fork of it."""

    def __init__(self, trial):
        self.trial = trial
        self.answer = None

    def pytest_collection_modifyitems(self, items):
        """Make Hypothesis fast."""
        calm(items)

    def pytest_runtestloop(self, session):
        """Let every mutant of a function's body live."""
        trial, items = self.trial, session.items
        by_name = {item.nodeid: item for item in items}
        for module in trial.modules:
            importlib.import_module(module.name)
        gc.unfreeze()
        functions = [each for each in gc.get_objects() if isinstance(each, types.FunctionType)]
        gc.freeze()  # pytest collects garbage around each test, and what a framework's import makes is no garbage
        trial.seconds, trial.runs = in_fork(lambda: trial.first_run(items))

        def use(module, mutant):
            codes = functions_in(module.compiled(mutant))
            for each in functions:
                if each.__code__.co_filename == module.file:
                    each.__code__ = codes.get(key_of(each.__code__), each.__code__)
            return first_failure([by_name[name] for name in trial.chosen(module, mutant)])

        for module in trial.modules:
            for mutant in module.mutants:
                if mutant.place.function:
                    trial.meet(module, mutant, lambda module=module, mutant=mutant: use(module, mutant))
        self.answer = (trial.seconds, trial.runs, trial.kills, {module.path: module.fates for module in trial.modules})
        return True


class Importing:
    """A session in which the module is a mutant from its import on."""

    def __init__(self, trial, module, mutant):
        self.names = trial.chosen(module, mutant)
        trial.tests = sorted({name.partition("::")[0] for name in self.names})  # of no more files than are needed
        sys.meta_path.insert(0, _Finder(module.name, module.file, module.compiled(mutant)))
        self.answer = "the collection"

    def pytest_collection_modifyitems(self, items):
        """Keep the chosen tests, in their order."""
        calm(items)
        by_name = {item.nodeid: item for item in items}
        items[:] = [by_name[name] for name in self.names if name in by_name]

    def pytest_runtestloop(self, session):
        """Run the tests up to the first that fails."""
        if not session.testsfailed and len(session.items) == len(self.names):
            self.answer = first_failure(session.items)
        return True


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, name, path, code):
        self.name, self.path, self.code = name, path, code

    def find_spec(self, fullname, path=None, target=None):  # noqa: ARG002  (the protocol's)
        if fullname != self.name:
            return None
        loader = _Loader(fullname, self.path)
        loader.code = self.code
        return importlib.util.spec_from_file_location(fullname, self.path, loader=loader)


class _Loader(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname):  # noqa: ARG002  (the protocol's)
        return self.code


def key_of(code):
    """Return what tells a function from the others of its module."""
    return code.co_qualname, code.co_firstlineno


def functions_in(code):
    """Return the code of each function that stands in a module or in a class of it."""
    found = {}
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            is_class = "__module__" in const.co_names and "__qualname__" in const.co_names
            found |= functions_in(const) if is_class else {key_of(const): const}
    return found
