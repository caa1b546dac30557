"""Every form of the call finds the same files; addresses go through AllenNLP's cache."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import json
import os
import sys
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest
from elmos import OPTIONS_NAME, WEIGHTS_NAME, options

import safeload
from safeload.elmo._arguments import elmo_arguments
from safeload.elmo._check import check
from safeload.errors import (
    AmbiguousCheckpointError,
    ArgumentError,
    ConfigError,
    InvalidPathError,
    MissingFileError,
    SafeLoadError,
    UnreadableFileError,
    VariableMismatchError,
    WrongFileKindError,
)

FORMS = {
    "folder": lambda folder: ((folder,), {}),
    "folder_with_slash": lambda folder: ((f"{folder}/",), {}),
    "options": lambda folder: ((folder / OPTIONS_NAME,), {}),
    "two_files": lambda folder: ((str(folder / OPTIONS_NAME), str(folder / WEIGHTS_NAME)), {}),
    "bytes": lambda folder: ((os.fsencode(folder / OPTIONS_NAME), os.fsencode(folder / WEIGHTS_NAME)), {}),
    "two_folders": lambda folder: ((folder, folder), {}),
    "base_dir": lambda folder: ((OPTIONS_NAME, WEIGHTS_NAME), {"base_dir": folder}),
    "file_url": lambda folder: (((folder / OPTIONS_NAME).as_uri(), (folder / WEIGHTS_NAME).as_uri()), {}),
    "dots": lambda folder: ((f"{folder}/../{folder.name}/{OPTIONS_NAME}",), {}),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_each_form_finds_the_files(form, tiny_elmo):
    arguments, options = form(tiny_elmo)
    report = safeload.check_elmo(*arguments, **options)

    assert [file.path for file in report.files] == [str(tiny_elmo / OPTIONS_NAME), str(tiny_elmo / WEIGHTS_NAME)]
    assert len(report.read) == 29


@pytest.mark.parametrize("form", FORMS)
def test_a_report_says_whether_the_weights_were_given(form, tiny_elmo):
    arguments, options = FORMS[form](tiny_elmo)
    report = safeload.check_elmo(*arguments, **options)

    assert report.given == str(arguments[-1])
    assert report.form == ("HDF5 file" if form in ("two_files", "bytes", "base_dir", "file_url") else "folder")


def test_a_check_says_all_that_it_found(tiny_elmo):
    report = safeload.check_elmo(tiny_elmo)

    assert (report.model, report.noun, report.scope, report.backend) == ("ELMo", "datasets", "", "")
    assert [file.role for file in report.files] == ["options", "weight"]
    assert report.checksums.startswith("none: HDF5 keeps none")
    assert report.taken_from_config == {
        "activation": "relu",
        "cell_clip": 3,
        "proj_clip": 3,
        "use_skip_connections": True,
    }
    assert (report.unused, report.ignored, report.notes, report.problems) == ({}, (), (), ())
    assert list(report.seconds) == ["resolve", "read", "list", "compare"]
    assert report.versions == {
        "python": ".".join(map(str, sys.version_info[:3])),
        "safeload": safeload.__version__,
        "numpy": np.__version__,
        "h5py": h5py.__version__,
    }


def test_the_values_that_are_filled_are_those_of_the_file(tiny_elmo):
    arguments = elmo_arguments(
        num_output_representations=1, requires_grad=False, do_layer_norm=False, dropout=0.5, vocab_to_cache=["a"],
        keep_sentence_boundaries=False, scalar_mix_parameters=None, backend="torch",
    )  # fmt: skip
    others = {"base_dir": None, "ignore_unused": (), "lock_file": None}
    checked = check(tiny_elmo, None, arguments=arguments, **others)

    with h5py.File(tiny_elmo / WEIGHTS_NAME) as file:
        for name in checked.datasets:
            np.testing.assert_array_equal(checked.values[name], file[name][...])
    assert len(checked.report.notes) == 1
    assert check(tiny_elmo, None, arguments=None, **others).values == {}


def test_a_mismatch_has_its_report(elmo):
    (elmo / OPTIONS_NAME).write_text(json.dumps(options(lstm={"n_layers": 3})))
    with pytest.raises(VariableMismatchError) as caught:
        safeload.check_elmo(elmo)
    report = caught.value.report

    assert (report.model, report.noun, report.given) == ("ELMo", "datasets", str(elmo))
    assert {problem.kind for problem in report.problems} == {"missing"}
    assert len(report.problems) == 6
    assert caught.value.context == (("options", str(elmo / OPTIONS_NAME)),)


def test_a_file_without_any_dataset_is_told(elmo):
    h5py.File(elmo / WEIGHTS_NAME, "w").close()
    with pytest.raises(VariableMismatchError) as caught:
        safeload.check_elmo(elmo)

    assert caught.value.hints == ("nothing in the file is a biLM's; its datasets are none",)


def test_the_options_are_told_first_and_both_files_before_either_is_read(elmo):
    with pytest.raises(MissingFileError, match="no options file"):
        safeload.check_elmo(elmo / "o.json", elmo / "w.hdf5")
    (elmo / OPTIONS_NAME).write_text("{")
    with pytest.raises(MissingFileError, match="no weight file"):
        safeload.check_elmo(elmo / OPTIONS_NAME, elmo / "w.hdf5")


@pytest.mark.parametrize("ending", ["hdf5", "h5", "hdf"])
def test_weights_are_found_by_their_ending(ending, elmo):
    (elmo / WEIGHTS_NAME).rename(elmo / f"w.{ending}")
    for name in (f".hidden.{ending}", "w.h5x"):
        (elmo / name).write_bytes(b"")

    assert Path(safeload.check_elmo(elmo).files[1].path).name == f"w.{ending}"


def test_a_folder_with_several_files_lists_them(elmo):
    for name in ("a_Weights.hdf5", "b_weights.h5", "c.h5"):
        (elmo / name).write_bytes(b"")
    (elmo / WEIGHTS_NAME).unlink()
    with pytest.raises(AmbiguousCheckpointError) as caught:
        safeload.check_elmo(OPTIONS_NAME, ".", base_dir=elmo)
    assert caught.value.candidates == (str(elmo / "a_Weights.hdf5"), str(elmo / "b_weights.h5"))
    assert (caught.value.resolved, caught.value.given, caught.value.label) == (str(elmo), ".", "folder")

    (elmo / OPTIONS_NAME).rename(elmo / "a_Options.json")
    (elmo / "b_options.json").write_text("{}")
    with pytest.raises(ConfigError) as caught:
        safeload.check_elmo(".", base_dir=elmo)
    assert caught.value.hints == ("pass options_file, one of: a_Options.json, b_options.json",)
    assert (caught.value.resolved, caught.value.given, caught.value.label) == (str(elmo), ".", "folder")


def test_what_was_looked_for_in_a_folder_is_kept(elmo):
    (elmo / WEIGHTS_NAME).unlink()
    with pytest.raises(MissingFileError) as caught:
        safeload.check_elmo(elmo)
    assert caught.value.looked_for == ("*weights*.hdf5", "*.hdf5")
    (elmo / OPTIONS_NAME).unlink()
    with pytest.raises(MissingFileError) as caught:
        safeload.check_elmo(elmo)
    assert caught.value.looked_for == ("*options*.json", "*.json")


SIGNS = {
    ("encoder.pkl", "token_embedder.pkl"): "an ELMoForManyLangs model",
    ("saved_model.pb",): "a TensorFlow model or TF-Hub module",
    ("tfhub_module.pb",): "a TF-Hub module",
    ("weights.th", "config.json"): "an AllenNLP archive",
    ("bert_config.json",): "a BERT model",
}


@pytest.mark.parametrize("signs", SIGNS, ids=str)
def test_a_folder_of_another_model_is_known_by_all_of_its_files(signs, elmo, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    for name in signs:
        (folder / name).write_bytes(b"{}")
    for given in ([folder], [elmo / OPTIONS_NAME, folder]):
        with pytest.raises(WrongFileKindError) as caught:
            safeload.check_elmo(*given)
        assert caught.value.found == SIGNS[signs]
        assert caught.value.wanted == "a folder with one options JSON and one HDF5 file"
        assert (caught.value.resolved, caught.value.given, caught.value.label) == (str(folder), given[-1], "folder")


@pytest.mark.parametrize("signs", [signs for signs in SIGNS if len(signs) > 1], ids=str)
def test_one_of_those_files_alone_is_no_other_model(signs, tmp_path):
    for name in signs:
        (tmp_path / name).write_bytes(b"{}")
        with pytest.raises(SafeLoadError) as caught:
            safeload.check_elmo(tmp_path)
        assert not isinstance(caught.value, WrongFileKindError)
        (tmp_path / name).unlink()


@pytest.mark.parametrize("signs", SIGNS, ids=str)
def test_an_elmo_beside_another_model_is_read(signs, elmo):
    for name in signs:
        (elmo / name).write_bytes(b"{}")

    assert len(safeload.check_elmo(elmo).read) == 29


def test_exchanged_files_are_told_and_other_weights_are_not_called_exchanged(elmo):
    with pytest.raises(WrongFileKindError) as caught:
        safeload.check_elmo(elmo / WEIGHTS_NAME, elmo / OPTIONS_NAME)
    assert (caught.value.wanted, caught.value.found) == ("JSON text", "HDF5 file")
    for weights in (elmo / WEIGHTS_NAME, elmo / "none", None):
        with pytest.raises(WrongFileKindError) as caught:
            safeload.check_elmo(elmo / WEIGHTS_NAME, weights)
        assert "exchanged" not in caught.value.message


def test_a_folder_that_cannot_be_listed_is_told(elmo, monkeypatch):
    def fail(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "listdir", fail)
    with pytest.raises(UnreadableFileError, match="no permission to read the folder") as caught:
        safeload.check_elmo(elmo)
    assert (caught.value.resolved, caught.value.label) == (str(elmo), "folder")


def test_patterns_have_an_example_of_a_dataset_s_name(tiny_elmo):
    with pytest.raises(ArgumentError) as caught:
        safeload.check_elmo(tiny_elmo, ignore_unused="x")
    assert "'RNN_*'" in caught.value.hints[0]


def test_home_and_variables(tiny_elmo, monkeypatch):
    monkeypatch.setenv("HOME", str(tiny_elmo.parent))
    monkeypatch.setenv("ELMO", tiny_elmo.name)

    assert safeload.check_elmo("~/$ELMO").files[0].path == str(tiny_elmo / OPTIONS_NAME)


def test_published_names_are_preferred(elmo):
    (elmo / OPTIONS_NAME).rename(elmo / "elmo_2x16_options.json")
    (elmo / WEIGHTS_NAME).rename(elmo / "elmo_2x16_weights.h5")
    (elmo / "metrics.json").write_text("{}", encoding="utf-8")
    (elmo / "vectors.hdf5").write_bytes(b"")

    assert [Path(file.path).name for file in safeload.check_elmo(elmo).files] == [
        "elmo_2x16_options.json",
        "elmo_2x16_weights.h5",
    ]


def test_links_are_followed_and_said(elmo, tmp_path):
    (tmp_path / "linked").symlink_to(elmo)
    report = safeload.check_elmo(tmp_path / "linked")

    assert report.files[1].path == str(tmp_path / "linked" / WEIGHTS_NAME)
    assert report.files[1].real_path == str(elmo / WEIGHTS_NAME)


def test_a_report_is_text_and_json(tiny_elmo):
    report = safeload.report_of(safeload.load_elmo(tiny_elmo, backend="torch"))
    lines = str(report).splitlines()

    assert lines[0] == "ELMo: 29 datasets read and verified, 0 unused"
    assert "  backend:     torch" in lines
    assert "  from config: activation=relu, cell_clip=3, proj_clip=3, use_skip_connections=True" in lines
    assert json.loads(json.dumps(report.to_dict()))["model"] == "ELMo"
    assert {"resolve", "read", "list", "compare", "import", "build"} == set(report.seconds)
    assert {"torch", "h5py", "numpy", "safeload", "python"} == set(report.versions)


@pytest.fixture
def server(tiny_elmo):
    """Serve the tiny ELMo on loopback."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tiny_elmo))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def addresses(server):
    return [f"http://127.0.0.1:{server.server_port}/{name}" for name in (OPTIONS_NAME, WEIGHTS_NAME)]


@pytest.mark.skipif(importlib.util.find_spec("cached_path") is None, reason="cached-path comes with AllenNLP")
def test_addresses_go_through_the_cache_of_allennlp(server, tmp_path, monkeypatch):
    monkeypatch.setenv("ALLENNLP_CACHE_ROOT", str(tmp_path))
    options, weights = addresses(server)
    report = safeload.check_elmo(options, weights)

    assert len(report.read) == 29
    assert report.given == weights
    assert all(file.path.startswith(str(tmp_path / "cache")) for file in report.files)
    with pytest.raises(MissingFileError) as caught:
        safeload.check_elmo(options, weights + ".gone")
    error = caught.value
    assert error.message == "weight_file could not be downloaded, and the cache has no copy"
    assert (error.given, error.looked_for) == (weights + ".gone", (weights + ".gone",))
    assert error.hints == ("download the options and the weights, and pass the folder that holds both",)
    (cache, cache_path), (reason, why) = error.context
    assert (cache, cache_path, reason) == ("cache", str(tmp_path / "cache"), "reason")
    assert why.endswith(f": {weights}.gone")


@pytest.mark.skipif(importlib.util.find_spec("cached_path") is None, reason="cached-path comes with AllenNLP")
def test_the_cache_of_allennlp_lies_in_the_home_folder(server, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ALLENNLP_CACHE_ROOT", raising=False)

    files = safeload.check_elmo(*addresses(server)).files
    assert all(file.path.startswith(str(tmp_path / ".allennlp/cache")) for file in files)


@pytest.mark.skipif(importlib.util.find_spec("cached_path") is not None, reason="cached-path is installed")
def test_without_cached_path_an_address_says_what_to_do(server):
    with pytest.raises(InvalidPathError) as caught:
        safeload.check_elmo(*addresses(server))

    assert caught.value.given == addresses(server)[0]
    assert "pass the folder that holds both" in str(caught.value)
    assert "pip install cached-path" in str(caught.value)


@pytest.mark.parametrize("ending", [".hdf5", ".h5", ".hdf"])
def test_weights_are_known_by_their_ending(ending, elmo):
    (elmo / WEIGHTS_NAME).rename(elmo / f"w{ending}")

    assert len(safeload.check_elmo(elmo).read) == 29
