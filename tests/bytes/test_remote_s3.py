"""s3fs against the server of moto: the same results as from the disk, pinned objects, and trees."""

from __future__ import annotations

import socket

import pytest

import safeload
from safeload import errors, testing
from safeload._bytes.remote import attempts, objects
from safeload.lock import lock_text, make_lock
from tests.servers import require_same

s3fs = pytest.importorskip("s3fs")
moto_server = pytest.importorskip("moto.server")

WEIGHTS = "bucket/models/hf/model.safetensors"
CHECKS = {"bert": safeload.check_bert, "hf": safeload.check_bert, "elmo": safeload.check_elmo}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("models")
    testing.write_bert(found / "bert")
    testing.write_bert(found / "hf", form="safetensors")
    testing.write_elmo(found / "elmo")
    return found


@pytest.fixture(scope="module")
def server():
    running = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(server, folder, monkeypatch):
    """Hold the models in a bucket, whose credentials are in the environment."""
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "KEYSECRET",
        "AWS_SECRET_ACCESS_KEY": "SECRET",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(attempts, "FIRST_WAIT", 0.001)
    files = s3fs.S3FileSystem(skip_instance_cache=True)
    files.mkdir("bucket")
    files.put(f"{folder}/", "bucket/models/", recursive=True)
    yield files
    files.invalidate_cache()
    files.rm("bucket", recursive=True)


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.usefixtures("bucket")
def test_a_check_says_what_one_of_the_disk_says(name, folder):
    report = CHECKS[name](f"s3://bucket/models/{name}")
    require_same(report, CHECKS[name](folder / name))
    assert all(file.path.startswith(f"s3://bucket/models/{name}/") for file in report.files)


@pytest.mark.usefixtures("bucket")
def test_the_tensors_are_those_of_the_disk(folder):
    remote, local = (safeload.load_state_dict(f"{root}/hf") for root in ("s3://bucket/models", folder))
    assert all((remote[name] == local[name]).all() for name in local)


@pytest.mark.usefixtures("bucket")
def test_what_is_not_there():
    for address in ("s3://bucket/gone", "s3://nobucket/bert", "s3://bucket/models/hf/gone.json"):
        with pytest.raises(errors.MissingFileError):
            safeload.check_bert(address)
    (result,) = safeload.check_many("s3://nobucket/models")
    assert result.error.hints == ("s3://nobucket does not exist or is empty; check its name",)


@pytest.mark.usefixtures("bucket")
def test_a_tree_is_checked_by_workers(folder):
    results = {result.path: result for result in safeload.check_many("s3://bucket/models", jobs=2)}
    assert {path: result.kind for path, result in results.items()} == {
        "s3://bucket/models/bert": "bert",
        "s3://bucket/models/elmo": "elmo",
        "s3://bucket/models/hf": "bert",
    }
    assert all(result.error is None for result in results.values())
    require_same(results["s3://bucket/models/hf"].report, safeload.check_bert(folder / "hf"))


def test_an_object_that_is_replaced_while_it_is_read(bucket, monkeypatch):
    read, done = objects.ObjectStore.read, []

    def replacing(self, address, block, offset, found):
        read(self, address, block, offset, found)
        if address.endswith("model.safetensors") and not done:
            data = bytearray(bucket.cat_file(WEIGHTS))
            data[-1] ^= 1
            done.append(bucket.pipe_file(WEIGHTS, bytes(data)))

    monkeypatch.setattr(objects.ObjectStore, "read", replacing)
    with pytest.raises(errors.CorruptFileError):
        safeload.check_weights("s3://bucket/models/hf")
    assert done


def test_a_lock_in_a_bucket(bucket, folder):
    lock = make_lock(safeload.check_bert(folder / "bert"), folder / "safeload.lock")
    named = [file._replace(name=file.name.removeprefix("bert/")) for file in lock.files]
    bucket.pipe_file("bucket/models/bert/safeload.lock", lock_text(lock._replace(files=tuple(named))).encode())
    report = safeload.check_bert("s3://bucket/models/bert")
    assert "s3://bucket/models/bert/safeload.lock" in [file.path for file in report.files]
    bucket.pipe_file("bucket/models/bert/vocab.txt", bucket.cat_file("bucket/models/bert/vocab.txt") + b"x\n")
    with pytest.raises(errors.LockError, match="CHANGED"):
        safeload.check_bert("s3://bucket/models/bert")


@pytest.mark.usefixtures("bucket")
def test_a_server_that_is_not_there(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(errors.FileSystemError) as caught:
        safeload.check_bert("s3://bucket/models/bert")
    monkeypatch.undo()
    error, said = caught.value, ""
    while error is not None:
        said += f"{error!r} {error} {vars(error)}"
        error = error.__cause__ or error.__context__
    assert "SECRET" not in said


@pytest.mark.usefixtures("bucket")
def test_a_store_that_does_not_answer_is_given_up(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(objects, "ANSWER_SECONDS", 0.2)
        with pytest.raises(errors.FileSystemError, match=r"Timeout.* \(attempt 5 of 5\)"):
            safeload.check_bert("s3://bucket/models/bert")
