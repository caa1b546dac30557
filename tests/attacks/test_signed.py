"""Whoever can change a signed folder, and has no key, gets an error or the model that was signed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import unicodedata
import warnings

import pytest

import safeload
from safeload import testing
from safeload.errors import LockError, SafeLoadError, SafeLoadWarning
from safeload.lock import LOCK_NAME, lock_text, make_lock
from tests.signatures.keys import WithItems, derived, hashing, sign, sign_hashes, sign_payload, write_key

pytest.importorskip("model_signing")

OTHERS = ("lock", "signature")


def write_google(folder):
    testing.write_bert(folder)


def write_hugging_face(folder):
    """Write a repository with every form, as hubs have them."""
    testing.write_bert(folder, form="safetensors")
    for form, name in (("torch", "pytorch_model.bin"), ("hdf5", "tf_model.h5")):
        testing.write_bert(folder / "made", form=form)
        shutil.move(folder / "made" / name, folder)
        shutil.rmtree(folder / "made")


def write_two_configs(folder):
    """Write a folder that both libraries read, of which the configs differ in nothing that a load requires to agree."""
    testing.write_bert(folder, form="safetensors")
    config = json.loads((folder / "config.json").read_text())
    (folder / "bert_config.json").write_text(json.dumps({**config, "hidden_dropout_prob": 0.5}))


def write_other_config(folder):
    """Write a config of no usual name, beside one of a tokenizer."""
    testing.write_bert(folder, form="safetensors")
    (folder / "config.json").rename(folder / "my_config.json")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}')


def write_saved_model(folder):
    testing.write_bert(folder)
    (folder / "assets").mkdir()
    (folder / "variables").mkdir()
    (folder / "saved_model.pb").write_bytes(b"\x08\x01")
    shutil.copy(folder / "bert_config.json", folder / "assets")
    shutil.move(folder / "vocab.txt", folder / "assets")
    for path in folder.glob("bert_model.ckpt.*"):
        name = path.name.replace("bert_model.ckpt", "variables")
        shutil.copy(path, folder / "variables" / name)


def write_pipeline(folder):
    testing.write_bert(folder, form="safetensors")
    testing.write_bert(folder / "student", form="safetensors", seed=1)
    testing.write_bert(folder / "teacher", form="safetensors", seed=2)


WRITERS = {
    each.__name__.removeprefix("write_"): each
    for each in (write_google, write_hugging_face, write_two_configs, write_other_config, write_saved_model)
}
CALLS = {"bert": safeload.check_bert, "weights": safeload.check_weights}


@pytest.fixture
def keys(tmp_path):
    return write_key(tmp_path / "keys")


@pytest.fixture(params=WRITERS)
def signed(request, tmp_path, keys):
    """Return a folder and what proves it."""
    folder = tmp_path / "model"
    WRITERS[request.param](folder)
    return folder, proven(folder, keys)


@pytest.fixture
def pipeline(tmp_path, keys):
    folder = tmp_path / "pipe"
    write_pipeline(folder)
    return folder, proven(folder, keys)


def proven(folder, keys, **options):
    return {"signature": sign(folder, folder.parent / "a.sig", keys[0], **options), "signed_by": keys[1]}


def files_of(report):
    return {(file.role, os.path.realpath(file.path), file.sha256) for file in report.files if file.role not in OTHERS}


def outcome(call, path, arguments):
    """Return the files that were read, with their digests, or the class of the error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SafeLoadWarning)
        try:
            return files_of(CALLS[call](path, **arguments))
        except SafeLoadError as error:
            return type(error)


def is_refused(found):
    return isinstance(found, type) and issubclass(found, SafeLoadError)


def paths_in(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("call", CALLS)
def test_a_signed_file_that_is_removed(call, signed):
    """Every file, one after the other: the same files are read, or the load is refused; nothing takes its place."""
    folder, arguments = signed
    usual = outcome(call, folder, arguments)
    for path in paths_in(folder):
        path.rename(folder.parent / "kept")
        found = outcome(call, folder, arguments)
        assert found == usual or is_refused(found), path
        if not is_refused(usual) and str(path) in {read for _, read, _ in usual}:
            assert found is LockError
        (folder.parent / "kept").rename(path)
    assert outcome(call, folder, arguments) == usual


def test_one_of_two_signed_configs_that_is_removed(tmp_path, keys):
    folder = tmp_path / "model"
    write_two_configs(folder)
    arguments = proven(folder, keys)
    for config in ("config.json", "bert_config.json"):
        kept = (folder / config).read_bytes()
        (folder / config).unlink()
        with pytest.raises(LockError) as caught:
            safeload.check_bert(folder, **arguments)
        assert caught.value.files == (config,)
        assert f"MISSING    {config}" in str(caught.value)
        (folder / config).write_bytes(kept)
    safeload.check_bert(folder, **arguments)


ADDED = (
    "config.json", "bert_config.json", "openai_config.json", "tokenizer_config.json", "vocab.txt", "assets/vocab.txt",
    "assets/bert_config.json", "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "tf_model.h5",
    "pytorch_model.bin.index.json", "saved_model.pb", "variables/variables.index", "checkpoint", "bert_model.ckpt.index",
    "other.ckpt.index", "bert_model.ckpt.data-00001-of-00002", "weights.hdf5", "model.keras", "model.weights.h5",
)  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_a_file_that_is_added_to_a_signed_folder(call, signed):
    """A good file of each usual name, and an empty one: the signed files are read, or the load is refused."""
    folder, arguments = signed
    usual = outcome(call, folder, arguments)
    good = {path.name: path.read_bytes() for path in paths_in(folder)}
    for name in ADDED:
        path = folder / name
        for content in (b"", good.get(path.name), *(good[each] for each in good if each.endswith(path.suffix))):
            if content is None or path.exists():
                continue
            is_new = not path.parent.exists()
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            found = outcome(call, folder, arguments)
            assert found == usual or is_refused(found), name
            path.unlink()
            if is_new:
                path.parent.rmdir()
    assert outcome(call, folder, arguments) == usual


def test_an_unsigned_file_that_decides_between_signed_ones(tmp_path, keys):
    """A folder becomes a SavedModel by a graph that nobody reads, and then has the vocabulary in its assets."""
    folder = tmp_path / "model"
    write_saved_model(folder)
    shutil.rmtree(folder / "variables")
    (folder / "saved_model.pb").unlink()
    arguments = proven(folder, keys)
    assert "vocab" not in [file.role for file in safeload.check_bert(folder, **arguments).files]
    (folder / "saved_model.pb").write_bytes(b"")
    with pytest.raises(LockError, match="files that change which ones are loaded are not covered") as caught:
        safeload.check_bert(folder, **arguments)
    assert "saved_model.pb" in caught.value.files


@pytest.mark.parametrize("call", CALLS)
def test_two_signed_files_that_are_exchanged(call, signed):
    folder, arguments = signed
    usual = outcome(call, folder, arguments)
    paths = paths_in(folder)
    for at, one in enumerate(paths):
        for other in paths[at + 1 :]:
            if one.read_bytes() == other.read_bytes():
                continue
            exchange(one, other)
            found = outcome(call, folder, arguments)
            assert found == usual or is_refused(found), (one, other)
            exchange(one, other)
    assert outcome(call, folder, arguments) == usual


def exchange(one, other):
    kept = one.with_name("exchanged")
    one.rename(kept)
    other.rename(one)
    kept.rename(other)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", ["link", "copy elsewhere", "moved", "through links"])
def test_a_part_that_is_a_link_to_another_signed_part(call, kind, pipeline, tmp_path):
    """Each part is signed, and good; but whoever asks for the student does not get the teacher."""
    folder, arguments = pipeline
    safeload.check_bert(folder / "student", **arguments)
    student, teacher = folder / "student", folder / "teacher"
    shutil.move(student, tmp_path / "old")
    if kind == "link":
        student.symlink_to("teacher")
    elif kind == "copy elsewhere":
        shutil.copytree(teacher, tmp_path / "evil/teacher")
        student.symlink_to(tmp_path / "evil/teacher")
    elif kind == "moved":
        shutil.move(teacher, student)
    else:
        (tmp_path / "mine").symlink_to(folder)
        (tmp_path / "current").symlink_to(tmp_path / "mine" / "student")
        student.symlink_to("teacher")
        student = tmp_path / "current"
    assert outcome(call, student, arguments) is LockError
    weights = {"weights": student / "model.safetensors"}
    with pytest.raises(LockError):
        safeload.check_bert(folder if kind == "moved" else teacher, weights["weights"], **arguments)


def test_links_of_the_user_to_a_signed_part_are_followed(pipeline, tmp_path):
    folder, arguments = pipeline
    (tmp_path / "mine").symlink_to(folder)
    (tmp_path / "current").symlink_to(tmp_path / "mine" / "student")
    for path in (tmp_path / "mine" / "student", tmp_path / "current", tmp_path / "mine"):
        assert not is_refused(outcome("bert", path, arguments)), path
    read = safeload.check_bert(tmp_path / "current", folder / "student" / "model.safetensors", **arguments).files
    assert {os.path.basename(os.path.dirname(os.path.realpath(file.path))) for file in read[:-1]} == {"student"}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", ["FIFO", "folder", "link to itself", "link to a device", "link to a good file"])
def test_something_else_in_the_place_of_a_signed_file(call, kind, tmp_path, keys):
    folder = tmp_path / "model"
    write_hugging_face(folder)
    arguments = proven(folder, keys)
    usual = outcome(call, folder, arguments)
    for path in paths_in(folder):
        kept = path.rename(tmp_path / "kept")
        if kind == "FIFO":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        else:
            path.symlink_to({"link to itself": path, "link to a device": "/dev/zero"}.get(kind, kept))
        found = outcome(call, folder, arguments)
        if kind == "link to a good file":  # whose bytes are as they were signed
            assert not is_refused(found)
        else:
            assert found == usual or is_refused(found)
        path.rmdir() if kind == "folder" else path.unlink()
        kept.rename(path)


@pytest.mark.parametrize(
    "name", ["CONFIG.JSON", "config\u200b.json", "c\u00f6nfig.json", "./config.json", "student/../config.json"]
)
def test_names_that_look_like_signed_ones(name, tmp_path, keys):
    """A name is that of the signature in each character, or it is not covered."""
    folder = tmp_path / "model"
    write_hugging_face(folder)
    (folder / "config.json").rename(folder / unicodedata.normalize("NFC", "c\u00f6nfig.json"))
    shutil.copy(folder / "c\u00f6nfig.json", folder / "config.json")
    arguments = proven(folder, keys, ignored=[])
    changed = unicodedata.normalize("NFD", name) if not name.isascii() else name
    path = folder / changed
    is_same = os.path.normpath(path) == str(folder / "config.json")
    if not is_same:
        shutil.copy(folder / "config.json", path)
    found = outcome("bert", path, arguments)
    assert is_refused(found) != is_same


def test_a_signature_of_another_folder_of_the_same_signer(tmp_path, keys):
    """It proves the other folder's files; where they differ, they are told."""
    one, other = tmp_path / "one", tmp_path / "other"
    testing.write_bert(one, form="safetensors", seed=1)
    testing.write_bert(other, form="safetensors", seed=2)
    arguments = {"signature": sign(other, tmp_path / "other.sig", keys[0]), "signed_by": keys[1]}
    with pytest.raises(LockError) as caught:
        safeload.check_bert(one, **arguments)
    assert caught.value.files == ("model.safetensors",)


@pytest.mark.parametrize("ignored", ["model.safetensors", "config.json", "vocab.txt"])
def test_what_the_signer_ignored_is_not_covered(ignored, tmp_path, keys):
    """The bundle has a list of paths that its signer left out; they are files like others that nobody signed."""
    folder = tmp_path / "model"
    testing.write_bert(folder, form="safetensors")
    arguments = proven(folder, keys, ignored=[ignored])
    with pytest.raises(LockError, match="not covered by its signature") as caught:
        safeload.check_bert(folder, **arguments)
    assert caught.value.files == (ignored,)


@pytest.mark.parametrize("kind", ["empty", "names that lead out", "absolute names", "of the folder itself"])
def test_lists_of_files_that_prove_nothing(kind, tmp_path, keys):
    folder = tmp_path / "model"
    testing.write_bert(folder, form="safetensors")
    lead = {"names that lead out": "../model/", "absolute names": f"{folder}/", "of the folder itself": ""}.get(kind)
    change = {
        "empty": lambda _: {},
        "of the folder itself": lambda items: {".": next(iter(items.values()))},
    }.get(kind, lambda items: {f"{lead}{name}": digest for name, digest in items.items()})
    signature = sign_hashes(tmp_path / "a.sig", folder, keys[0], WithItems(change))
    assert outcome("bert", folder, {"signature": signature, "signed_by": keys[1]}) is LockError
    assert outcome("weights", folder, {"signature": signature, "signed_by": keys[1]}) is LockError


@pytest.mark.parametrize("names", [("config.json", "config.json"), ("config.json", "./config.json"), ("a//b", "a/b")])
def test_a_list_that_names_a_file_twice(names, tmp_path, keys):
    """Readers differ in which of the two digests they take."""
    folder = tmp_path / "model"
    testing.write_bert(folder, form="safetensors")
    digests = [bytes([at]) * 32 for at in range(len(names))]
    rows = [
        {"name": name, "digest": digest.hex(), "algorithm": "sha256"}
        for name, digest in zip(names, digests, strict=True)
    ]
    how = {"method": "files", "hash_type": "sha256", "allow_symlinks": True}
    payload = {
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": "https://model_signing/signature/v1.0",
        "subject": [{"name": "model", "digest": {"sha256": hashlib.sha256(b"".join(digests)).hexdigest()}}],
        "predicate": {"resources": rows, "serialization": how},
    }
    (tmp_path / "a.sig").write_bytes(sign_payload(json.dumps(payload).encode(), derived(7)))
    with pytest.raises(LockError, match="it lists a file more than once"):
        safeload.check_bert(folder, signature=tmp_path / "a.sig", signed_by=keys[1])


@pytest.mark.parametrize("call", CALLS)
def test_a_lock_that_is_added_to_a_signed_folder(call, signed):
    """It can only refuse: what it lists must be as it was signed too."""
    folder, arguments = signed
    usual = outcome(call, folder, arguments)
    assert write_lock(call, folder) != is_refused(usual)
    found = outcome(call, folder, arguments)
    assert found == usual or is_refused(found)
    for each in paths_in(folder):
        if each.name == LOCK_NAME:
            continue
        kept = each.read_bytes()
        each.write_bytes(kept + b" ")
        write_lock(call, folder)
        found = outcome(call, folder, arguments)
        assert found == usual or is_refused(found), each
        each.write_bytes(kept)


def write_lock(call, folder):
    """Lock the files as they are, as who changed them would; return whether it could be done."""
    path = folder / LOCK_NAME
    path.unlink(missing_ok=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SafeLoadWarning)
            report = CALLS[call](folder)
    except SafeLoadError:
        return False
    path.write_text(lock_text(make_lock(report, path)))
    return True


@pytest.mark.parametrize("call", CALLS)
def test_hashes_of_shards_of_a_file_that_was_cut_or_lengthened(call, tmp_path, keys):
    folder = tmp_path / "model"
    testing.write_bert(folder, form="safetensors")
    arguments = proven(folder, keys, config=hashing(shard_size=4096))
    assert not is_refused(outcome(call, folder, arguments))
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    for content in (whole[:4096], whole[:8192], whole + whole[:4096], b"", whole[4096:] + whole[:4096]):
        path.write_bytes(content)
        assert outcome(call, folder, arguments) is LockError


def test_a_signed_model_at_an_address(tmp_path, keys):
    """An address is covered by its bytes: the same are those of the model that was signed."""
    memory = pytest.importorskip("fsspec").filesystem("memory")
    folder = tmp_path / "model"
    testing.write_bert(folder, form="safetensors")
    memory.put(str(folder), "/signed", recursive=True)
    arguments = proven(folder, keys)
    assert not is_refused(outcome("bert", "memory://signed", arguments))
    for name in ("config.json", "vocab.txt", "model.safetensors"):
        before = memory.cat_file(f"/signed/{name}")
        memory.pipe_file(f"/signed/{name}", before + b" ")
        assert outcome("bert", "memory://signed", arguments) is LockError
        memory.pipe_file(f"/signed/{name}", before)
    testing.write_bert(tmp_path / "other", form="torch", seed=1)
    memory.put(str(tmp_path / "other" / "pytorch_model.bin"), "/signed/pytorch_model.bin")
    memory.rm("/signed/model.safetensors")
    assert is_refused(outcome("bert", "memory://signed", arguments))
