"""Tiny real models, written by TensorFlow and h5py once a session."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

import pytest
from checkpoints import bert_tensors, write_checkpoint, write_sharded  # noqa: F401
from elmos import write_elmo

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
if importlib.util.find_spec("tf_keras"):
    # the upstream calls that the tests compare with need it from the first import of TensorFlow on
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")


def written_once(tmp_path_factory, name, write):
    """Return a folder that `write` has filled; not to be changed."""
    folder = tmp_path_factory.mktemp("models") / name
    folder.mkdir()
    write(folder)
    for path in folder.iterdir():
        path.chmod(0o444)
    return folder


def copied(model, folder):
    """Return a copy of a model's folder that a test may spoil."""
    shutil.copytree(model, folder)
    for path in Path(folder).iterdir():
        path.chmod(0o644)
    return folder


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    """Return a folder with config, vocabulary and a checkpoint with heads; not to be changed."""
    from safeload.demo.bert import write_bert

    return written_once(tmp_path_factory, "tiny_bert", write_bert)


@pytest.fixture
def bert(tiny_bert, tmp_path):
    """Return a copy of the tiny model that a test may spoil."""
    return copied(tiny_bert, tmp_path / "model")


@pytest.fixture(scope="session")
def tiny_elmo(tmp_path_factory):
    """Return a folder with options and weights; not to be changed."""
    return written_once(tmp_path_factory, "tiny_elmo", write_elmo)


@pytest.fixture
def elmo(tiny_elmo, tmp_path):
    """Return a copy of the tiny ELMo that a test may spoil."""
    return copied(tiny_elmo, tmp_path / "elmo")


def pytest_addoption(parser):
    parser.addoption("--write-golden", action="store_true", help="write the messages of the faults anew")
