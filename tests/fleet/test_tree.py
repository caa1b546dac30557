"""Which folders of a tree hold models, or what is left of one."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import pytest

from safeload import testing
from safeload._bytes.archives.members import MAX_MEMBERS
from safeload._bytes.archives.names import N_LOOKED_AT
from safeload.errors import FileSystemError, MissingFileError
from safeload.fleet import _tree
from safeload.fleet._checker import CHECKS
from safeload.fleet._found import Model
from safeload.fleet._tree import find_models
from tests.archives import write_archive
from tests.checkpoints import PREFIX, SHARD, write_checkpoint
from tests.command_line import safeload_cli
from tests.fleet.finding import found_in


def models_in(kind, *paths):
    found = found_in(kind, map(str, paths))
    assert found.unreadable == []
    return found.models


@pytest.fixture
def tree(tiny_bert, tiny_elmo, tmp_path):
    """Return a folder above two models, with others that do not count."""
    links = {"b10": tiny_bert, "b/x": tiny_bert, "e": tiny_elmo, ".cache/b": tiny_bert, "__MACOSX": tiny_bert}
    for name, model in links.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(model)
    (tmp_path / "e2").mkdir()
    (tmp_path / "e2/other").touch()
    return tmp_path


def test_the_models_of_a_tree_are_found_in_order(tree):
    assert models_in("bert", tree) == [str(tree / "b/x")]  # b10 leads to the same folder
    assert models_in("elmo", tree) == [str(tree / "e")]
    assert models_in("bert", tree / "b10", tree / "b") == [str(tree / "b10"), str(tree / "b/x")]


@pytest.mark.parametrize("kind", [kind for kind in CHECKS if kind])
def test_a_path_without_a_model_is_checked_itself(kind, tree):
    for name in ("e2", "nothing", "e2/other"):
        assert models_in(kind, tree / name) == [str(tree / name)]


def test_a_linked_folder_is_entered_once(tiny_bert, tmp_path):
    tree = tmp_path / "tree"
    for name in ("a", "b/c", "b/d"):
        shutil.copytree(tiny_bert, tree / name)
    (tree / "a/loop").symlink_to(tree)
    (tree.parent / "linked").mkdir()
    (tree.parent / "linked/x").symlink_to(tree / "a")
    assert models_in("bert", tree) == [str(tree / name) for name in ("a", "b/c", "b/d")]
    assert models_in("bert", tree.parent / "linked")[0] == str(tree.parent / "linked/x")


@pytest.mark.parametrize(
    "names",
    [
        (SHARD, "vocab.txt"),
        ("vocab.txt",),
        (f"{PREFIX}.meta",),
        ("checkpoint",),
        (f"{PREFIX}.index.part",),
        ("bert_config.json.crdownload",),
        (".bert_model.ckpt.index.aB3xYz",),
        (),
    ],
)
def test_a_half_copied_bert_is_found(names, tiny_bert, tmp_path):
    (tmp_path / "good").symlink_to(tiny_bert)
    (tmp_path / "half/way").mkdir(parents=True)
    for name in names:
        (tmp_path / "half/way" / name).touch()

    assert models_in("bert", tmp_path) == [str(tmp_path / "good"), str(tmp_path / "half/way")]
    assert str(tmp_path / "half/way") in safeload_cli("check", "bert", tmp_path, code=1).stdout


def test_a_half_downloaded_elmo_is_found(tiny_elmo, tmp_path):
    (tmp_path / "good").symlink_to(tiny_elmo)
    (tmp_path / "half").mkdir()
    (tmp_path / "half/weights.hdf5.part").touch()
    assert models_in("elmo", tmp_path) == [str(tmp_path / "good"), str(tmp_path / "half")]


def test_folders_that_belong_to_no_model_are_passed_over(bert, tmp_path):
    (bert / "logs").mkdir()
    for name in ("lost+found", ".cache"):
        (bert.parent / name).mkdir(exist_ok=True)
    (bert.parent / "scripts").mkdir(exist_ok=True)
    (bert.parent / "scripts/run.sh").touch()
    assert models_in("bert", bert.parent) == [str(bert)]
    (tmp_path / "empty/inner").mkdir(parents=True)
    assert models_in("bert", tmp_path / "empty") == [str(tmp_path / "empty")]


OTHERS = {"README": b"x", "data/images.bin": bytes(1000)}
ARCHIVES = ("stored.zip", "deflated.zip", "flat.zip", "command.zip", "gnu.tar", "long.tar", "ustar.tar.gz", "pax.tgz")


def zip_of(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_of_a_model_is_a_model(name, tiny_bert, tiny_elmo, tmp_path):
    (tmp_path / "bert").mkdir()
    (tmp_path / "elmo").mkdir()
    paths = {
        kind: write_archive(model, tmp_path / kind / name) for kind, model in (("bert", tiny_bert), ("elmo", tiny_elmo))
    }
    for kind, path in paths.items():
        assert models_in(kind, tmp_path) == [str(path)]
    shown = safeload_cli("check", "bert", tmp_path, "--expect", "1").stdout
    assert f"{tmp_path}/bert/{name}" in shown


def test_archives_of_other_things_are_passed_over(tiny_bert, tmp_path):
    (tmp_path / "good").symlink_to(tiny_bert)
    zip_of(tmp_path / "data.zip", OTHERS)
    zip_of(tmp_path / "many.zip", {str(number): b"" for number in range(MAX_MEMBERS + 1)})
    (tmp_path / "text.zip").write_text("no archive")
    (tmp_path / "log.tar.gz").write_bytes(gzip.compress(bytes(5000)))
    with tarfile.open(tmp_path / "data.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "text.zip", "a/b")
    assert models_in("bert", tmp_path) == [str(tmp_path / "good")]


def test_each_model_of_an_archive_is_one(tiny_bert, tmp_path):
    files = {path.name: path.read_bytes() for path in tiny_bert.iterdir()}
    members = {f"{folder}/{name}": data for folder in ("a", "b/c", ".hidden") for name, data in files.items()}
    zip_of(tmp_path / "both.ZIP", {**members, "__MACOSX/a/._vocab.txt": b"", "README": b""})
    (tmp_path / "again.zip").symlink_to(tmp_path / "both.ZIP")
    found = [str(tmp_path / "both.ZIP" / name) for name in ("a", "b/c")]

    assert models_in("bert", tmp_path) == found
    assert "2 good, 0 bad" in safeload_cli("check", "bert", tmp_path).stdout


def test_a_model_below_the_only_folder_is_found_there(tiny_bert, tmp_path):
    zip_of(tmp_path / "x.zip", {f"a/b/{path.name}": path.read_bytes() for path in tiny_bert.iterdir()})
    assert models_in("bert", tmp_path) == [str(tmp_path / "x.zip/a/b")]
    assert f"ok   {tmp_path}/x.zip/a/b" in safeload_cli("check", "bert", tmp_path).stdout


def test_a_saved_model_in_an_archive_is_one_model(tmp_path):
    names = (
        "saved_model.pb",
        "assets/vocab.txt",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
    )
    zip_of(tmp_path / "hub.zip", dict.fromkeys(names, b""))
    zip_of(tmp_path / "in.zip", {f"hub/{name}": b"" for name in names})
    zip_of(tmp_path / "other.zip", dict.fromkeys(("saved_model.pb", "variables/x", "variables/variables.index"), b""))
    assert models_in("bert", tmp_path) == [str(tmp_path / "hub.zip"), str(tmp_path / "in.zip")]


@pytest.mark.parametrize("name", ["stored.zip", "ustar.tar.gz"])
def test_an_archive_that_was_cut_off_is_reported(name, tiny_bert, tmp_path):
    path = write_archive(tiny_bert, tmp_path / name)
    path.write_bytes(path.read_bytes()[:-3000])
    assert models_in("bert", tmp_path) == [str(path)]
    assert f"BAD  {path}  CorruptFileError" in safeload_cli("check", "bert", tmp_path, code=1).stdout


def test_only_the_first_bytes_of_a_compressed_tar_are_looked_at(tiny_bert, tmp_path):
    for size in (N_LOOKED_AT - 4096, N_LOOKED_AT):
        path = tmp_path / f"{size}.tar.gz"
        with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
            big = tarfile.TarInfo("ü/data")
            big.size = size
            archive.addfile(big, io.BytesIO(bytes(size)))
            archive.add(tiny_bert / "vocab.txt", "ü/vocab.txt")
    assert models_in("bert", tmp_path) == [str(tmp_path / f"{N_LOOKED_AT - 4096}.tar.gz")]


@pytest.mark.parametrize(
    "command", [("check", "bert"), ("check", "elmo"), ("inspect",), ("lock",), ("doctor", "bert"), ("doctor", "elmo")]
)
def test_a_folder_with_an_archive_alone_is_told_where_the_model_may_be(command, tmp_path):
    path = zip_of(tmp_path / "data.zip", OTHERS)
    done = safeload_cli(*command, tmp_path, code=1)
    assert f"if the model is in the archive, pass {path}" in done.stdout + done.stderr


def test_a_folder_that_cannot_be_read_is_named(tiny_bert, tmp_path):
    (tmp_path / "good").symlink_to(tiny_bert)
    (tmp_path / "locked/inner").mkdir(parents=True)
    (tmp_path / "locked").chmod(0)
    try:
        done = subprocess.run(
            [*without_root(), sys.executable, "-m", "safeload", "check", "bert", str(tmp_path)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        (tmp_path / "locked").chmod(0o755)

    assert done.returncode == 2, done.stdout + done.stderr
    assert f"BAD  {tmp_path}/locked  UnreadableFileError" in done.stdout
    assert "1 good, 1 bad" in done.stdout


def without_root():
    """Return a command under which root may not read what only its power lets it read."""
    if os.geteuid():
        return []
    if not shutil.which("setpriv"):
        pytest.skip("root may read anything")
    return ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]


def test_a_link_that_leads_nowhere_or_in_a_circle_is_named(tiny_bert, tmp_path):
    (tmp_path / "good").symlink_to(tiny_bert)
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    found = found_in("bert", [str(tmp_path)])

    assert found.models == [str(tmp_path / "good")]
    assert {outcome.path: type(outcome.error) for outcome in found.unreadable} == {
        str(tmp_path / "gone"): MissingFileError,
        str(tmp_path / "self"): FileSystemError,
    }
    safeload_cli("check", "bert", tmp_path, code=2)


def test_a_tree_deeper_than_any_path_is_named(tmp_path):
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("d" * 200, dir_fd=here)
        inner = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    found = found_in("bert", [str(tmp_path)])

    assert found.models == []
    (outcome,) = found.unreadable
    assert (type(outcome.error), outcome.error.errno) == (FileSystemError, errno.ENAMETOOLONG)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENOTCONN])
def test_a_folder_that_the_system_cannot_list_is_named(number, tiny_bert, tmp_path):
    (tmp_path / "tree/lost").mkdir(parents=True)
    (tmp_path / "tree/good").symlink_to(tiny_bert)
    (tmp_path / "sitecustomize.py").write_text(f"""
import os
real = os.scandir
def scandir(path="."):
    if str(path).endswith("tree/lost"): raise OSError({number}, os.strerror({number}), path)
    return real(path)
os.scandir = scandir  # no disk fails when a test asks for it
""")
    environment = {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    shown = safeload_cli("check", "bert", tmp_path / "tree", code=2, env=environment).stdout

    assert f"BAD  {tmp_path}/tree/lost  FileSystemError" in shown
    assert f"the folder cannot be read, nor checked what is in it: {os.strerror(number)}" in shown
    assert "1 good, 1 bad" in shown


def test_too_many_open_files_are_no_empty_tree(tiny_bert, tmp_path):
    """A real system call that fails, in a process that may not open another file."""
    (tmp_path / "good").symlink_to(tiny_bert)
    body = """
import os, resource, sys
from tests.fleet.finding import found_in
resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
held = []
try:
    while True: held.append(os.open("/dev/null", os.O_RDONLY))
except OSError: pass
found = found_in("bert", [sys.argv[1]])
os.close(held.pop())
print(found.models, [(outcome.path, type(outcome.error).__name__) for outcome in found.unreadable])
"""
    done = subprocess.run([sys.executable, "-c", body, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == f"[] {[(str(tmp_path), 'FileSystemError')]}\n"


def test_another_number_of_models_than_expected_fails(tiny_bert, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for file in tiny_bert.iterdir():
            (tmp_path / name / file.name).symlink_to(file)
    safeload_cli("check", "bert", tmp_path, "--expect", "2")
    done = safeload_cli("check", "bert", tmp_path, "--expect", "3", "--quiet", code=1)
    assert done.stdout.splitlines()[-1] == "BAD  2 models found, 3 expected"
    assert '"n_expected": 3' in safeload_cli("check", "bert", tmp_path, "--expect", "3", "--json", code=1).stdout


def test_a_variable_or_tilde_in_a_path_is_taken_as_in_every_path(tiny_bert, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MODELS", str(tmp_path / "models"))
    for folder in ("~", "$MODELS"):
        shutil.copytree(tiny_bert, tmp_path / folder / "literal")
    assert models_in("bert", "~", "$MODELS") == ["~/literal", "$MODELS/literal"]

    for folder in ("home", "models"):
        shutil.copytree(tiny_bert, tmp_path / folder / "expanded")
    shutil.rmtree(tmp_path / "$MODELS")
    assert models_in("bert", "~", "$MODELS") == [str(tmp_path / each / "expanded") for each in ("home", "models")]


def test_a_tf_hub_module_of_an_elmo_is_a_model_and_another_is_not(tmp_path):
    module = testing.write_elmo(tmp_path / "tree/module", form="tensorflow/tf-hub")
    other = testing.write_elmo(tmp_path / "tree/other", form="tensorflow/tf-hub")
    for folder in (module, other):
        (folder / "options.json").unlink()
    write_checkpoint(other / "variables/variables", {"dense/kernel": np.ones((2, 2), "f4")})

    assert found_in("elmo", [str(tmp_path / "tree")]).models == [str(module)]


LOOSE = {
    "keras": "model.keras",
    "torch": "pytorch_model.bin",
    "safetensors": "model.safetensors",
    "hdf5/keras-bert": "model.h5",
}


def loose_in(folder, form):
    """Write the weights of a BERT alone."""
    folder = testing.write_bert(folder, form=form)
    for name in ("config.json", "bert_config.json", "vocab.txt"):
        (folder / name).unlink(missing_ok=True)
    assert [path.name for path in folder.iterdir()] == [LOOSE[form]]
    return folder


@pytest.mark.parametrize("form", LOOSE)
def test_weights_without_a_config_are_skipped_wherever_they_are(form, tiny_bert, tmp_path):
    root = loose_in(tmp_path / "tree", form)
    inner = loose_in(root / "inner", form)
    (root / "good").symlink_to(tiny_bert)
    reason = f"weights without a config beside them: {LOOSE[form]}"
    found = found_in("bert", [str(root)])

    assert (found.models, found.skipped) == ([str(root / "good")], {str(root): reason, str(inner): reason})
    shown = safeload_cli("check", "bert", root, "--expect", "1").stdout
    assert f"skipped {inner}  {reason}\n" in shown
    assert "BAD" not in shown
    assert "skipped" not in safeload_cli("check", "bert", root, "-q").stdout
    listed = json.loads(safeload_cli("check", "bert", root, "--json").stdout)
    assert listed["skipped"] == [{"path": str(path), "reason": reason} for path in (root, inner)]
    assert (listed["n_good"], listed["n_bad"]) == (1, 0)


def test_weights_with_another_piece_of_a_model_are_a_model(tiny_bert, tmp_path):
    (tmp_path / "good").symlink_to(tiny_bert)
    for name in ("vocab.txt", "config.json", "bert_model.ckpt.index", "bert_config.json.part"):
        (loose_in(tmp_path / name.partition(".")[0] / name, "torch") / name).touch()
    found = found_in("bert", [str(tmp_path)])

    assert (len(found.models), found.skipped) == (5, {})


def test_what_only_has_the_name_of_weights_is_not_called_so(tiny_bert, tiny_elmo, tmp_path):
    (tmp_path / "good").symlink_to(tiny_bert)
    (tmp_path / "elmo").symlink_to(tiny_elmo)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/images.bin").write_bytes(bytes(100))
    assert found_in("bert", [str(tmp_path)]) == ([str(tmp_path / "good")], [], {})


def test_a_path_with_nothing_but_weights_is_checked_itself(tmp_path):
    root = loose_in(tmp_path / "tree", "torch")
    assert found_in("bert", [str(root)]) == ([str(root)], [], {})
    assert "MissingFileError" in safeload_cli("check", "bert", root, code=1).stdout


def test_a_saved_model_of_a_bert_without_a_config_is_skipped(tiny_bert, tmp_path):
    (tmp_path / "good").symlink_to(tiny_bert)
    (tmp_path / "saved/variables").mkdir(parents=True)
    (tmp_path / "saved/saved_model.pb").touch()
    for path in tiny_bert.glob("bert_model.ckpt.*"):
        shutil.copy(path, tmp_path / "saved/variables" / path.name.replace("bert_model.ckpt", "variables"))
    found = found_in("bert", [str(tmp_path)])

    assert found.skipped == {str(tmp_path / "saved"): "a SavedModel of a BERT without a config"}
    assert found.models == [str(tmp_path / "good")]


def test_weights_of_an_elmo_without_options_are_skipped(tiny_elmo, tmp_path):
    (tmp_path / "good").symlink_to(tiny_elmo)
    (tmp_path / "loose").mkdir()
    shutil.copy(tiny_elmo / "weights.hdf5", tmp_path / "loose")
    found = found_in("elmo", [str(tmp_path)])

    assert (found.models, list(found.skipped)) == ([str(tmp_path / "good")], [str(tmp_path / "loose")])


def test_weights_alone_in_an_archive_are_no_model(tiny_bert, tmp_path):
    (tmp_path / "good").symlink_to(tiny_bert)
    loose = loose_in(tmp_path / "loose", "torch")
    zip_of(tmp_path / "loose.zip", {"pytorch_model.bin": (loose / "pytorch_model.bin").read_bytes()})
    assert models_in("bert", tmp_path) == [str(tmp_path / "good")]


def test_the_first_model_is_found_before_the_last_folder_is_looked_at(tmp_path, monkeypatch):
    for number in range(30):
        (tmp_path / f"{number:02}/inner").mkdir(parents=True)
        (tmp_path / f"{number:02}/inner/vocab.txt").touch()
    looked_at = []
    real = _tree.listed
    monkeypatch.setattr(_tree, "listed", lambda folder: looked_at.append(folder.path) or real(folder))
    found = find_models(("bert",), [str(tmp_path)])

    assert next(found) == Model(str(tmp_path / "00/inner"), "bert")
    assert looked_at == [str(tmp_path), str(tmp_path / "00"), str(tmp_path / "00/inner")]


def test_a_link_into_the_tree_is_reported_at_its_own_place_and_one_to_what_is_hidden_is_followed(tiny_bert, tmp_path):
    for name in ("z/model", ".versions/3", "left/model"):
        shutil.copytree(tiny_bert, tmp_path / name)
    (tmp_path / "a").symlink_to(tmp_path / "z/model")
    (tmp_path / "current").symlink_to(tmp_path / ".versions/3")
    (tmp_path / "kept").symlink_to(tmp_path / "left/model")

    assert models_in("bert", tmp_path) == [str(tmp_path / name) for name in ("current", "left/model", "z/model")]
    assert found_in("bert", [tmp_path], ["left"]).models == [
        str(tmp_path / name) for name in ("current", "kept", "z/model")
    ]
