"""Trees of models at addresses: searched folder by folder, and checked in worker processes."""

from __future__ import annotations

import gc
import json
import shutil
import tracemalloc

import pytest

import safeload
from safeload import errors, testing
from safeload._bytes.remote.objects import ObjectStore
from safeload.fleet._found import Model, Skipped, Unreadable
from safeload.fleet._tree import BERT_OR_ELMO, find_models
from tests.servers import in_memory, serving


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Hold BERTs and ELMos in folders and archives, a damaged one, weights alone, and what is no model."""
    found = tmp_path_factory.mktemp("tree")
    testing.write_bert(found / "a" / "tensorflow")
    testing.write_bert(found / "a" / "safetensors", form="safetensors")
    testing.write_elmo(found / "b" / "elmo")
    testing.write_elmo(found / "b" / "module", form="tensorflow/tf-hub")
    shutil.make_archive(str(found / "c" / "bert"), "zip", found / "a" / "tensorflow")
    broken = shutil.copytree(found / "a" / "tensorflow", found / "d" / "broken")
    (broken / "bert_config.json").write_text("{")
    (found / "e").mkdir()
    shutil.copy(found / "a" / "safetensors" / "model.safetensors", found / "e")
    (found / "notes.txt").write_text("no model")
    return found


@pytest.fixture
def server(tree):
    with serving(tree) as found:
        yield found


@pytest.fixture
def memory(tree):
    with in_memory(tree, "tree") as files:
        yield files


def below(root, found):
    """Return what was found, by its path below the root."""
    return [each._replace(path=each.path[len(str(root)) :]) for each in found]


@pytest.mark.parametrize("kinds", [BERT_OR_ELMO, ("bert",), ("elmo",), ("weights",)], ids="-".join)
@pytest.mark.usefixtures("memory")
def test_the_same_models_are_found_as_on_the_disk(kinds, tree, server):
    local = below(tree, find_models(kinds, [str(tree)]))
    assert any(isinstance(each, Model) for each in local)
    for root in (server.address, "memory://tree"):
        assert below(root, find_models(kinds, [root])) == local


def test_what_is_left_out(server):
    found = list(find_models(BERT_OR_ELMO, [server.address], ["b", "c/*"]))
    assert [each.path.removeprefix(server.address) for each in found if isinstance(each, Model)] == [
        "/a/safetensors",
        "/a/tensorflow",
        "/d/broken",
    ]
    assert [each.path.removeprefix(server.address) for each in found if isinstance(each, Skipped)] == ["/e"]


def test_workers_check_what_is_found(tree, server):
    local = {result.path[len(str(tree)) :]: result for result in safeload.check_many(tree)}
    remote = {result.path[len(server.address) :]: result for result in safeload.check_many(server.address, jobs=2)}

    assert remote.keys() == local.keys()
    for path, result in remote.items():
        assert (result.kind, type(result.error)) == (local[path].kind, type(local[path].error))
        assert (result.report and result.report.read) == (local[path].report and local[path].report.read)
    assert [type(result.error) for result in remote.values() if result.error] == [errors.ConfigError]


def test_workers_have_the_user_info_and_no_result_has_it(server):
    root = server.address.replace("http://", "http://user:SECRET@")
    results = list(safeload.check_many(f"{root}/a", jobs=2))
    assert len(results) == 2
    assert all(result.report for result in results)
    assert {headers.get("Authorization") for headers in server.headers} == {"Basic dXNlcjpTRUNSRVQ="}
    results += safeload.check_many(f"{root}/gone")
    texts = [f"{result} {result.path!r} {vars(result)}" for result in results]
    assert "SECRET" not in "".join(texts)
    assert not any(hasattr(result.path, "real") for result in results)
    assert "SECRET" not in json.dumps([result.report.to_dict() for result in results if result.report])


def test_an_address_at_which_nothing_is(server):
    (result,) = safeload.check_many(f"{server.address}/gone")
    assert isinstance(result.error, errors.MissingFileError)


def test_an_address_of_one_model(server):
    for path in ("a/tensorflow", "a/tensorflow/", "b/elmo/options.json", "c/bert.zip"):
        (result,) = safeload.check_many(f"{server.address}/{path}")
        assert result.error is None, result.error


def test_a_scheme_whose_package_is_missing_is_the_result_of_its_path(tree):
    results = list(safeload.check_many(["az://container/models", tree / "a" / "tensorflow"]))
    assert [type(result.error) for result in results if result.error] == [errors.MissingDependencyError]
    assert len(results) == 2


def test_a_folder_that_is_refused_is_told_and_the_others_are_checked(server):
    server.faults, server.only = {"403"}, "/b/"
    found = list(find_models(BERT_OR_ELMO, [server.address]))
    (refused,) = [each for each in found if isinstance(each, Unreadable)]
    assert refused.path == f"{server.address}/b"
    assert isinstance(refused.error, errors.UnreadableFileError)
    assert len([each for each in found if isinstance(each, Model)]) == 4


# as a stream


@pytest.fixture
def many(memory):
    """Hold many models, of which only the configs are there."""
    for number in range(2000):
        memory.pipe(f"/many/{number // 100:02}/{number % 100:02}/bert_config.json", b"{}")
    return memory


@pytest.mark.usefixtures("many")
def test_the_first_model_is_found_before_the_last_folder_is_listed(monkeypatch):
    listed, real = [], ObjectStore.entries_in
    monkeypatch.setattr(ObjectStore, "entries_in", lambda self, address: listed.append(address) or real(self, address))
    found = find_models(("bert",), ["memory://many"])
    assert next(found) == Model("memory://many/00/00", "bert")
    assert listed == ["memory://many", "memory://many/00", "memory://many/00/00"]
    assert len(list(found)) == 1999
    assert len(listed) == 1 + 20 + 2000


@pytest.mark.usefixtures("many")
def test_the_search_keeps_nothing_of_what_it_found():
    found = find_models(("bert",), ["memory://many"])
    for _ in range(200):
        next(found)
    tracemalloc.start()
    try:
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(1700):
            next(found)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 200_000
