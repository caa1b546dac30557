"""Copies of the tiny real models that safeload's pytest plugin writes once a session."""

from __future__ import annotations

import gc
import importlib.util
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from safeload import testing
from safeload.errors import MissingDependencyError
from tests import forking, without_system_calls

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ.setdefault(
        threads, "1"
    )  # the workers share the cores; on tiny models more threads only wait for each other
if importlib.util.find_spec("tf_keras"):
    # the upstream calls that the tests compare with need it from the first import of TensorFlow on
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # as in the background of a script, whose processes the tests of Ctrl-C could not stop
    signal.signal(signal.SIGINT, signal.default_int_handler)

gc.set_threshold(200_000, 20, 100)  # with TensorFlow's and torch's objects, each full collection takes 0.2 s


def copied(model, folder):
    """Return a copy of a model's folder that a test may spoil."""
    shutil.copytree(model, folder)
    for path in Path(folder).iterdir():
        path.chmod(0o644)
    return folder


@pytest.fixture(scope="session")
def run_script():
    """Return a function that runs a script in a process of its own, which has imported the frameworks that are installed."""
    with forking.template("h5py", "tensorflow", "keras_bert", "torch", "allennlp.modules.elmo") as run:
        yield run


@pytest.fixture(scope="session")
def one_layer_bert(tmp_path_factory):
    """Return the folder of a BERT of one layer, for tests that build graphs and need no second layer."""
    return testing.write_bert_checkpoint(tmp_path_factory.mktemp("one_layer_bert"), layers=1)


@pytest.fixture
def untraced():
    """Let Keras run its functions eagerly: on a tiny model, tracing one takes longer than running it."""
    tf = pytest.importorskip("tensorflow")
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def bert(tiny_bert, tmp_path):
    """Return a copy of the tiny model that a test may spoil."""
    return copied(tiny_bert, tmp_path / "model")


@pytest.fixture
def elmo(tiny_elmo, tmp_path):
    """Return a copy of the tiny ELMo that a test may spoil."""
    return copied(tiny_elmo, tmp_path / "elmo")


def pytest_addoption(parser):
    parser.addoption("--write-golden", action="store_true", help="rewrite the golden messages of the faults")
    parser.addoption(
        "--without-frameworks", action="store_true", help="skip tests that import a framework which is not here"
    )
    parser.addoption("--without-system-calls", action="store_true", help=without_system_calls.__doc__)


FRAMEWORKS = {"tensorflow", "keras", "tf_keras", "keras_bert", "keras_hub", "torch", "allennlp", "transformers"}
LEFT_OUT = set() if sys.version_info < (3, 12) or importlib.util.find_spec("torch") else {"torch"}
"""What `make test` does not install on this Python."""


def left_out(config, exc):
    """Return the framework that an exception misses, if the session is one without it, or ""."""
    if isinstance(exc, MissingDependencyError):
        package = exc.package
    else:
        package = (exc.name or "").partition(".")[0] if isinstance(exc, ModuleNotFoundError) else ""
    return package if package in (FRAMEWORKS if config.option.without_frameworks else LEFT_OUT) else ""


def needing_a_framework(item):
    """Skip a test that needs a framework, where the session is one without it."""
    try:
        return (yield)
    except (ModuleNotFoundError, MissingDependencyError) as exc:
        if not (package := left_out(item.config, exc)):
            raise
        pytest.skip(f"needs {package}")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """Skip a file whose imports need a framework, where the session is one without it."""
    report = yield
    if report.failed and (package := left_out(collector.config, report.call.excinfo.value.__cause__)):
        report.outcome, report.longrepr = "skipped", (str(collector.path), 1, f"Skipped: needs {package}")
    return report


pytest_runtest_setup = pytest.hookimpl(wrapper=True)(needing_a_framework)
pytest_runtest_call = pytest.hookimpl(wrapper=True)(needing_a_framework)

LONGEST = ("tests/elmo/builders/test_keras.py", "tests/elmo/test_distributed.py", "tests/bert/test_diagnosis.py")


def pytest_collection_modifyitems(config, items):
    """Start the longest tests first: what is left at the end is short, and is shared by all workers."""
    if config.option.without_system_calls:
        items[:] = [item for item in items if not item.get_closest_marker("system_calls")]
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_collection_finish(session):
    """Take away what systems have of their own, once the tests are imported."""
    if session.config.option.without_system_calls:
        without_system_calls.take_away()
