"""TF-Hub's modules: what TensorFlow saves of one, the learned sum of the layers, TF-Hub's cache, and addresses."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

import safeload
from safeload import testing
from safeload._bytes.tfhub import name_of
from safeload.cli._weights import open_given
from safeload.elmo._options import ORIGINAL, PUBLISHED, published_options
from safeload.elmo._parameters import list_parameters
from safeload.elmo.namings.tf_hub import TfHub
from safeload.errors import (
    AmbiguousCheckpointError,
    ArgumentError,
    ConfigError,
    InvalidPathError,
    LockError,
    MissingFileError,
    SafeLoadWarning,
    VariableMismatchError,
    WrongFileKindError,
)
from safeload.testing._bundle import write_bundle
from safeload.testing._editing import edit_tensors
from tests.command_line import safeload_cli
from tests.elmo.module_graph import SENTENCES, save_module
from tests.elmos import BACKENDS, options

HANDLE = "https://tfhub.dev/google/elmo/3"
MIX = "aggregation/weights", "aggregation/scaling"


@pytest.fixture(scope="module")
def modules(tf, tmp_path_factory):
    """Return maker -> the folder of a module with its options, what it computes, and its variables."""
    root = tmp_path_factory.mktemp("modules")
    found = {}
    for maker in ("google", "deeppavlov"):
        outputs, variables = save_module(tf, root / maker, options(), is_of_google=maker == "google")
        (root / maker / "options.json").write_text(json.dumps(options()))
        found[maker] = root / maker, outputs, variables
    return found


def vectors_of(folder, backend, **arguments):
    model = safeload.load_elmo(folder, backend=backend, dropout=0.0, **arguments)
    if backend == "keras":
        from safeload.elmo._characters import ids_of

        return model, np.asarray(model(ids_of(SENTENCES).astype(np.int32)))
    return model, model.eval()(safeload.character_ids(SENTENCES))["elmo_representations"][0].detach().numpy()


@pytest.mark.parametrize("backend", [*BACKENDS, "keras"])
@pytest.mark.parametrize("maker", ["google", "deeppavlov"])
def test_the_learned_sum_is_what_the_module_computes(modules, maker, backend):
    folder, wanted, _ = modules[maker]
    model, found = vectors_of(folder, backend, scalar_mix_parameters="stored")

    wanted = wanted["elmo"]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6 * np.abs(wanted).max())
    report = safeload.report_of(model)
    assert len(report.read) == 31
    assert (report.form, report.naming, report.scope, report.place) == ("tensorflow", "tf-hub", "bilm/", "SavedModel")
    _, plain = vectors_of(folder, backend)
    assert np.abs(plain - wanted).max() > 0.01


@pytest.mark.parametrize("maker", ["google", "deeppavlov"])
def test_text_has_the_outputs_of_the_module(tf, modules, maker):
    from safeload.keras import ElmoText

    folder, wanted, variables = modules[maker]
    for output, values in wanted.items():
        layer = ElmoText(folder, output=output, trainable=True)
        found = layer(tf.constant([" ".join(words) for words in SENTENCES]))
        np.testing.assert_allclose(found, values, rtol=1e-6, atol=2e-6, err_msg=output)  # words are up to 6
    assert len(layer.trainable_weights) == 2
    n_values = sum(value.size for name, value in variables.items() if "Variable" not in name)
    assert layer.count_params() == n_values - (maker == "deeppavlov") * variables["bilm/char_embed"].shape[1]


@pytest.mark.parametrize("backend", [*BACKENDS, "keras"])
def test_the_stored_sum_is_fixed_as_passed_numbers_are(modules, backend):
    pytest.importorskip("tensorflow")
    folder, _, variables = modules["google"]
    model, _ = vectors_of(folder, backend, scalar_mix_parameters="stored", num_output_representations=2)
    if backend == "keras":
        weights = [np.asarray(each) for mix in model._mixes for each in mix]
        assert not model.trainable_variables
    else:
        parameters = {name: value for name, value in model.named_parameters() if "scalar_mix" in name}
        assert not any(value.requires_grad for value in parameters.values())
        state = model.state_dict()
        weights = []
        for number in range(2):
            start = f"scalar_mix_{number}"
            weights += [
                np.concatenate([state[f"{start}.scalar_parameters.{at}"].numpy() for at in range(3)]),
                state[f"{start}.gamma"].numpy(),
            ]
    for found, name in zip(weights, MIX * 2, strict=True):
        np.testing.assert_array_equal(found.reshape(-1), variables[name].reshape(-1))


def test_what_the_module_stores_beside_the_bilm_is_explained(modules):
    unused = {
        maker: {what: len(names) for what, names in safeload.check_elmo(modules[maker][0]).unused.items()}
        for maker in modules
    }

    assert unused == {"google": {"weighted sum": 2}, "deeppavlov": {"weighted sum": 2, "states": 8}}


def test_other_files_have_no_learned_sum(tiny_elmo):
    for backend in (*BACKENDS,):
        with pytest.raises(ArgumentError, match="the weights have no learned sum of the layers") as caught:
            safeload.load_elmo(tiny_elmo, scalar_mix_parameters="stored", backend=backend)
        assert caught.value.argument == "scalar_mix_parameters"


def test_where_no_file_is_read_there_is_none_either():
    pytest.importorskip("tensorflow")
    from safeload.keras import ElmoLayer

    with pytest.raises(ArgumentError, match="where no file is read"):
        ElmoLayer(options(), scalar_mix_parameters="stored")


# padding


def with_char_embed(folder, change):
    edit_tensors(folder, lambda tensors: tensors.update({"bilm/char_embed": change(tensors["bilm/char_embed"])}))


@pytest.fixture
def module(tmp_path):
    return testing.write_elmo(tmp_path / "module", form="tensorflow/tf-hub")


def padded(values):
    return np.concatenate([np.zeros_like(values[:1]), values])


def test_a_row_of_zeros_for_padding_is_proven(module, tmp_path):
    with_char_embed(module, padded)
    assert len(safeload.check_elmo(module).read) == 29
    ours, theirs = (
        safeload.load_elmo(each, backend="torch").state_dict()
        for each in (module, testing.write_elmo(tmp_path / "hdf5"))
    )
    for name, values in ours.items():
        np.testing.assert_array_equal(values.numpy(), theirs[name].numpy())


@pytest.mark.parametrize("call", [safeload.check_elmo, lambda folder: safeload.load_elmo(folder, backend="torch")])
def test_a_first_row_of_other_values_is_of_other_characters(module, call):
    with_char_embed(module, lambda values: padded(values) + np.float32(0.5))
    with pytest.raises(VariableMismatchError) as caught:
        call(module)

    (problem,) = caught.value.report.problems
    assert (problem.kind, problem.name) == ("shape", "bilm/char_embed")
    assert "the first of its 262 rows is for padding and must be zeros" in caught.value.hints[0]


def test_other_numbers_of_rows_are_a_mismatch(module):
    with_char_embed(module, lambda values: padded(padded(values)))
    with pytest.raises(VariableMismatchError) as caught:
        safeload.check_elmo(module)
    (problem,) = caught.value.report.problems
    assert (problem.kind, problem.found.shape[0]) == ("shape", 263)


# options


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Return the folder of a module of the original's sizes, without options."""
    folder = tmp_path_factory.mktemp("original") / "module"
    (folder / "variables").mkdir(parents=True)
    rows = list_parameters(published_options()).items()
    values = {TfHub().stored_as(name, "bilm/")[0]: np.broadcast_to(np.float32(0.5), spec.shape) for name, spec in rows}
    write_bundle(folder / "variables/variables", values, 1)
    (folder / "saved_model.pb").write_bytes(b"\x08\x01")
    yield folder
    shutil.rmtree(folder)


def test_options_may_be_left_out_where_the_sizes_are_the_original_s(original):
    with pytest.warns(SafeLoadWarning, match="all values are equal"):
        report = safeload.check_elmo(original)

    assert [file.role for file in report.files] == ["index", "shard"]
    assert sum(int(np.prod(spec.shape)) for spec in report.read) == 93_600_848
    assert report.taken_from_config == {
        "options": PUBLISHED, "activation": "relu", "cell_clip": 3, "proj_clip": 3, "use_skip_connections": True,
    }  # fmt: skip
    assert f"from config: options={PUBLISHED}, activation=relu" in str(report)


def test_options_of_another_size_must_be_passed(module, tmp_path):
    (module / "options.json").rename(tmp_path / "o.json")
    with pytest.raises(VariableMismatchError) as caught:
        safeload.check_elmo(module)

    assert caught.value.context == (("options", PUBLISHED),)
    assert "lstm.dim is 4096 in the original ELMo's published options but 12 in the checkpoint" in caught.value.hints
    assert not any("set " in hint for hint in caught.value.hints)
    assert caught.value.hints[0].startswith("there are no options beside the weights: pass the options.json")
    report = safeload.check_elmo(tmp_path / "o.json", module)
    assert (len(report.read), "options" in report.taken_from_config) == (29, False)


def test_the_original_s_options_are_good_options(tmp_path):
    (tmp_path / "options.json").write_text(json.dumps(ORIGINAL))
    with pytest.raises(MissingFileError, match="no weight file"):
        safeload.check_elmo(tmp_path)


def test_options_of_a_training_are_not_a_module_s(module):
    testing.edit_config(module, char_cnn={"n_characters": 261})
    with pytest.raises(ConfigError, match="261 is the value for training"):
        safeload.check_elmo(module)


@pytest.mark.parametrize("other", ["metrics.json", "keras_metadata.json"])
def test_another_json_file_in_a_module_is_not_its_options(module, other):
    (module / "options.json").rename(module / other)
    with pytest.raises(VariableMismatchError) as caught:
        safeload.check_elmo(module)
    assert caught.value.context == (("options", PUBLISHED),)


# places


def archived(module, path, top=""):
    with tarfile.open(path, "w:gz") as archive:
        for each in sorted(module.rglob("*")):
            archive.add(each, os.path.join(top, each.relative_to(module)), recursive=False)
    return path


@pytest.mark.parametrize("top", ["", ".", "module"])
def test_a_module_is_read_in_its_archive(module, top, tmp_path):
    path = archived(module, tmp_path / "elmo.tar.gz", top)
    report = safeload.check_elmo(path)

    assert len(report.read) == 29
    assert all(file.path.startswith(str(path)) for file in report.files)
    assert len(safeload.check_elmo(module / "options.json", path).read) == 29


@pytest.mark.parametrize("last", ["variables", "variables/variables", "variables/variables.index"])
def test_every_path_into_a_module_leads_to_its_weights(module, last):
    assert len(safeload.check_elmo(module / "options.json", module / last).read) == 29


@pytest.fixture
def cache(module, tmp_path, monkeypatch):
    """Return TF-Hub's cache with one ELMo, a module of another kind, and a folder that is none."""
    root = tmp_path / "tfhub_modules"
    cached(root, HANDLE, module)
    other = cached(root, "https://tfhub.dev/google/nnlm/1", module)
    shutil.rmtree(other / "variables")
    (other / "variables").mkdir()
    write_bundle(other / "variables/variables", {"embeddings": np.ones((3, 2), "f4")}, 1)
    (root / ("f" * 41)).mkdir()
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(root))
    return root


def cached(root, handle, module):
    folder = Path(shutil.copytree(module, root / name_of(handle)))
    Path(f"{folder}.descriptor.txt").write_text(
        f"Module: {handle}\nDownload Time: 2020-01-01 00:00:00\nDownloader Hostname: h (PID:1)"
    )
    return folder


def test_the_only_elmo_of_tf_hub_s_cache_is_it(cache):
    report = safeload.check_elmo(cache)

    assert len(report.read) == 29
    assert report.files[0].path == str(cache / name_of(HANDLE) / "options.json")
    assert report.notes == (f"the folder is that of {HANDLE} in TF-Hub's cache",)
    assert len(safeload.check_elmo(cache / name_of(HANDLE) / "options.json", cache).read) == 29


def test_of_several_elmos_in_the_cache_the_handles_are_named(cache, module):
    other = "http://files.deeppavlov.ai/elmo_ru-news.tar.gz"
    cached(cache, other, module)
    with pytest.raises(AmbiguousCheckpointError, match="the cache of TF-Hub has 2 ELMos") as caught:
        safeload.check_elmo(cache)

    assert set(caught.value.candidates) == {str(cache / name_of(handle)) for handle in (HANDLE, other)}
    assert all(f"{cache / name_of(handle)} ({handle})" in caught.value.hints[0] for handle in (HANDLE, other))


@pytest.mark.parametrize("descriptor", [None, b"", b"\xff\xfe", b"Module: https://tfhub.dev/google/elmo/1\n"])
def test_a_handle_is_named_only_if_its_hash_is_the_folder_s_name(cache, module, descriptor):
    for handle, expected in ((HANDLE, True), ("https://example.org/elmo/1", False)):
        folder = cache / name_of(handle)
        if not folder.exists():
            cached(cache, handle, module)
        path = Path(f"{folder}.descriptor.txt")
        path.unlink()
        if descriptor is not None:
            path.write_bytes(descriptor)
        assert bool(safeload.check_elmo(folder).notes) == expected


def test_a_cache_without_an_elmo_is_no_elmo(cache):
    shutil.rmtree(cache / name_of(HANDLE))
    with pytest.raises(MissingFileError):
        safeload.check_elmo(cache)


def test_an_address_says_what_to_download_and_what_to_pass(cache, module, monkeypatch, tmp_path):
    for given in ([HANDLE], [module / "options.json", HANDLE]):
        with pytest.raises(InvalidPathError, match="is a TF-Hub handle") as caught:
            safeload.check_elmo(*given)
        assert (
            caught.value.hints[-1] == f"of ELMo, pass the module's folder in TF-Hub's cache: {cache / name_of(HANDLE)}"
        )
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "none"))
    with pytest.raises(InvalidPathError) as caught:
        safeload.check_elmo(HANDLE)
    assert (
        caught.value.hints[-1]
        == f"of ELMo, download {HANDLE}?tf-hub-format=compressed and pass the archive, which is read in place"
    )


# other modules


def test_a_module_of_another_model_is_named(module):
    write_bundle(module / "variables/variables", {"bert/embeddings/word_embeddings": np.ones((3, 2), "f4")}, 1)
    with pytest.raises(WrongFileKindError) as caught:
        safeload.check_elmo(module)
    assert caught.value.found == "a BERT"

    write_bundle(module / "variables/variables", {"embeddings": np.ones((3, 2), "f4")}, 1)
    with pytest.raises(VariableMismatchError) as caught:
        safeload.check_elmo(module)
    assert caught.value.message.endswith("variables is there; the file has 1 variable, embeddings")


def test_a_module_of_words_is_called_that(module):
    write_bundle(
        module / "variables/variables", {"bilm/embedding": np.ones((3, 2), "f4"), "bilm/RNN_0/x": np.ones(2, "f4")}, 1
    )
    with pytest.raises(WrongFileKindError, match="a word-level biLM"):
        safeload.check_elmo(module)


def test_a_module_in_another_model_s_checkpoint_is_found_by_its_scope(module, tmp_path):
    with_char_embed(module, padded)
    with open_given(str(module)).file as weights:
        tensors = weights.read(weights.tensors)
    write_bundle(
        tmp_path / "m.ckpt",
        {**{f"module/{name}": value for name, value in tensors.items()}, "dense/kernel": np.ones((2, 2), "f4")},
        1,
    )
    report = safeload.check_elmo(module / "options.json", tmp_path / "m.ckpt")

    assert (report.scope, len(report.read)) == ("module/bilm/", 29)
    assert {what: len(names) for what, names in report.unused.items()} == {"weighted sum": 2, "task heads": 1}


def test_a_lock_of_a_module_holds_its_variables(module):
    assert safeload_cli("lock", module).returncode == 0
    report = safeload.check_elmo(module)
    assert {file.role for file in report.files} == {"options", "index", "shard", "lock"}
    testing.flip_bit(module, "bilm/char_embed")
    with pytest.raises(LockError):
        safeload.check_elmo(module)


def test_files_without_a_usual_name_beside_its_variables_are_of_no_concern(modules, tmp_path):
    folder = shutil.copytree(modules["google"][0], tmp_path / "module")
    other = testing.write_elmo(tmp_path / "other") / "weights.hdf5"
    shutil.copy(other, folder / "tuned.hdf5")
    assert safeload.check_elmo(folder).place == "SavedModel"

    shutil.copy(other, folder)
    with pytest.raises(AmbiguousCheckpointError) as caught:
        safeload.check_elmo(folder)
    assert caught.value.candidates == (str(folder / "variables/variables"), str(folder / "weights.hdf5"))
    assert len(safeload.check_elmo(folder / "options.json", folder / "weights.hdf5").read) == 29
