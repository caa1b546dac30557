"""The roots of other libraries' caches: the error lists the models in them, and each loads as it is listed."""

from __future__ import annotations

import json
import re
import shutil

import pytest

import safeload
from safeload import errors, testing
from safeload._bytes.files import FileRef
from safeload._bytes.tfhub import name_of
from safeload._caches import cached_models
from tests.servers import serving

HANDLE = "https://tfhub.dev/google/elmo/3"


def hint_of(check, path):
    with pytest.raises(errors.SafeLoadError) as caught:
        check(path)
    return next(hint for hint in caught.value.hints if "cache of" in hint)


def listed_in(hint):
    return re.search(r"pass one of: (\S+?)[ ,]", hint + " ")[1]


@pytest.mark.parametrize("below", ["", "cache"])
def test_the_cache_of_allennlp(below, tmp_path):
    """The files are those that cached-path itself writes."""
    cached_path = pytest.importorskip("cached_path")
    testing.write_elmo(tmp_path / "elmo")
    root = tmp_path / ".allennlp"
    with serving(tmp_path / "elmo") as server:
        addresses = [f"{server.address}/{name}" for name in ("options.json", "weights.hdf5")]
        paths = [str(cached_path.cached_path(address, cache_dir=root / "cache")) for address in addresses]
        hint = hint_of(safeload.check_elmo, root / below)
    for path, address in zip(paths, addresses, strict=True):
        assert f"{path} ({address})" in hint
    assert len(safeload.check_elmo(*paths).read) == 29


@pytest.mark.parametrize("check", [safeload.check_bert, safeload.check_elmo], ids=["bert", "elmo"])
def test_the_old_cache_of_allennlp(check, tmp_path):
    name = "a" * 64
    (tmp_path / name).write_bytes(b"{}")
    (tmp_path / f"{name}.json").write_text(
        json.dumps({"url": "https://user:SECRET@host/elmo_options.json", "etag": None})
    )
    hint = hint_of(check, tmp_path)
    assert f"the cache of AllenNLP; pass one of: {tmp_path / name} (https://host/elmo_options.json)" in hint


def test_the_cache_of_tf_hub_for_a_bert(tmp_path):
    module = tmp_path / name_of(HANDLE)
    testing.write_elmo(module, form="tensorflow/tf-hub")
    assert f"the cache of TF-Hub; pass one of: {module} ({HANDLE})" in hint_of(safeload.check_bert, tmp_path)


def test_keras_home(tmp_path):
    testing.write_bert(tmp_path / "models" / "bert_tiny" / "v1", form="hdf5")
    (tmp_path / "datasets").mkdir()
    hint = hint_of(safeload.check_bert, tmp_path)
    assert f"the cache of Keras; pass one of: {tmp_path}/models/bert_tiny/v1 (bert_tiny/v1)" in hint
    assert safeload.check_bert(listed_in(hint)).read
    shutil.rmtree(tmp_path / "models" / "bert_tiny")
    assert hint_of(safeload.check_bert, tmp_path) == "this is the cache of Keras, and no model is in it"


def test_the_cache_of_kagglehub(tmp_path):
    preset = tmp_path / "models/keras/bert/keras/bert_tiny/2"
    testing.write_bert(preset, form="hdf5")
    hint = hint_of(safeload.check_bert, tmp_path)
    assert f"the cache of kagglehub; pass one of: {preset}" in hint
    assert safeload.check_bert(listed_in(hint)).read


def test_other_folders_are_no_caches(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "x.h5").write_bytes(b"")
    (tmp_path / ("a" * 64)).write_bytes(b"")
    (tmp_path / f"{'b' * 64}.json").write_text("{}")
    assert cached_models(FileRef(path=str(tmp_path), role="folder")) == ("", [])
