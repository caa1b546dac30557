"""Which config and which weights are read of a folder that has those of several libraries."""

from __future__ import annotations

import json
import shutil
from contextlib import closing

import pytest

import safeload
from safeload import testing
from safeload.cli import _locking
from safeload.cli._weights import open_given
from safeload.errors import (
    AmbiguousCheckpointError,
    CheckpointNotFoundError,
    ConfigError,
    SafeLoadWarning,
    WrongFileKindError,
)

THEIRS = {"safetensors": "model.safetensors", "torch": "pytorch_model.bin", "hdf5": "tf_model.h5"}
CHECKPOINT = ("bert_model.ckpt.index", "bert_model.ckpt.data-00000-of-00001")
pytestmark = pytest.mark.filterwarnings("ignore::safeload.SafeLoadWarning")


@pytest.fixture(params=THEIRS)
def both(request, tmp_path):
    """Return a folder of Hugging Face's with the checkpoint of another BERT in it, and the name of its weights."""
    folder = testing.write_bert(tmp_path / "model", form=request.param)
    other = testing.write_bert(tmp_path / "other", seed=1)
    for name in CHECKPOINT:
        shutil.copy(other / name, folder)
    return folder, THEIRS[request.param]


def with_config_of_google(folder, **changes):
    """Write the config of a folder as Google's program would, with changes."""
    keys = json.loads((folder / "config.json").read_text())
    added = ("architectures", "model_type", "layer_norm_eps", "position_embedding_type")
    (folder / "bert_config.json").write_text(json.dumps({key: keys[key] for key in keys if key not in added} | changes))
    return folder


def names_read(report):
    return [file.path.rpartition("/")[2] for file in report.files]


@pytest.mark.parametrize("given", ["", "config.json"])
def test_the_config_of_transformers_leads_to_its_weights(both, given):
    folder, name = both
    with pytest.warns(SafeLoadWarning, match=r"other weights in the folder were not read: bert_model\.ckpt"):
        report = safeload.check_bert(folder / given)

    assert names_read(report) == ["config.json", "vocab.txt", name]
    assert report.warnings == ("other weights in the folder were not read: bert_model.ckpt",)
    assert safeload.check_bert(folder, folder / "bert_model.ckpt").warnings == ()


@pytest.mark.parametrize("name", ["bert_config.json", "my_config.json"])
def test_the_config_of_google_leads_to_its_checkpoint(both, name):
    folder, theirs = both
    with_config_of_google(folder).joinpath("bert_config.json").rename(folder / name)
    (folder / "config.json").unlink()
    report = safeload.check_bert(folder)

    assert names_read(report) == [name, "vocab.txt", *CHECKPOINT]
    assert report.warnings == (f"other weights in the folder were not read: {theirs}",)


def test_a_config_that_decides_nothing_is_ambiguous(both):
    folder, name = both
    shutil.copy(folder / "config.json", folder / "bert_config.json")
    for given in ("", "bert_config.json"):
        with pytest.raises(AmbiguousCheckpointError) as caught:
            safeload.check_bert(folder / given)
        assert caught.value.candidates == (str(folder / "bert_model.ckpt"), str(folder / name))
        assert caught.value.hints == (f"pass one of: bert_model.ckpt, {name}",)

    assert names_read(safeload.check_bert(folder / "config.json"))[-1] == name
    assert names_read(safeload.check_bert(folder, folder / name))[::2] == ["config.json", name]
    assert names_read(safeload.check_bert(folder, folder / "bert_model.ckpt"))[0] == "bert_config.json"


def test_files_without_a_usual_name_beside_a_checkpoint_are_of_no_concern(tmp_path):
    folder = testing.write_bert(tmp_path / "model")
    other = testing.write_bert(tmp_path / "other", form="hdf5/keras-bert")
    shutil.copy(other / "model.h5", folder / "tuned.h5")
    report = safeload.check_bert(folder)

    assert (report.form, report.warnings) == ("tensorflow", ())


def test_the_forms_of_transformers_go_in_its_order_without_a_warning(tmp_path):
    folder = testing.write_bert(tmp_path / "model", form="hdf5")
    for form in ("torch", "safetensors"):
        shutil.copy(testing.write_bert(tmp_path / form, form=form) / THEIRS[form], folder)
        report = safeload.check_bert(folder)
        assert (report.form, report.warnings) == (form, ())


def test_inspect_shows_what_a_load_reads(both):
    folder, name = both
    with closing(open_given(str(folder))) as weights:
        assert weights.file.ref.path == str(folder / name)
    (folder / "config.json").unlink()
    with pytest.raises(AmbiguousCheckpointError):
        open_given(str(folder))


@pytest.mark.parametrize("form", THEIRS)
def test_two_configs_that_agree_are_read_quietly(form, tmp_path):
    folder = with_config_of_google(testing.write_bert(tmp_path / "model", form=form))
    report = safeload.check_bert(folder)

    assert (names_read(report)[0], report.warnings) == ("config.json", ())
    assert names_read(safeload.check_bert(folder, folder / THEIRS[form]))[0] == "config.json"


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("num_attention_heads", 2, "4 in config.json, 2 in bert_config.json"),
        ("hidden_act", "relu", '"gelu" in config.json, "relu" in bert_config.json'),
        ("type_vocab_size", 3, "2 in config.json, 3 in bert_config.json"),
    ],
)
def test_two_configs_that_disagree_are_told(key, value, problem, tmp_path):
    folder = with_config_of_google(testing.write_bert(tmp_path / "model", form="safetensors"), **{key: value})
    with pytest.raises(ConfigError) as caught:
        safeload.check_bert(folder)

    assert [(each.key, each.problem) for each in caught.value.problems] == [(key, problem)]
    assert (caught.value.resolved, caught.value.context) == (
        str(folder / "config.json"), (("other", str(folder / "bert_config.json")),),
    )  # fmt: skip
    assert names_read(safeload.check_bert(folder / "config.json"))[0] == "config.json"


def test_what_is_no_config_of_a_bert_beside_another_contradicts_nothing(tmp_path):
    folder = testing.write_bert(tmp_path / "model")
    for text in ('{"learning_rate": 1}', "no JSON", '{"lstm": {}}'):
        (folder / "config.json").write_text(text)
        assert names_read(safeload.check_bert(folder))[0] == "bert_config.json"
    swish = json.dumps({"hidden_act": "silu", "hidden_size": 16})
    (folder / "config.json").write_text(swish)
    with pytest.raises(ConfigError, match="two configs"):
        safeload.check_bert(folder)
    (folder / "bert_config.json").write_text((folder / "bert_config.json").read_text().replace('"gelu"', '"swish"'))
    safeload.check_bert(folder)


def test_the_other_config_may_be_missing_from_the_lock(tmp_path):
    folder = testing.write_bert(tmp_path / "model", form="safetensors")
    assert _locking.run(str(folder), _locking.Wanted(), update=False, as_json=True) == 0
    with_config_of_google(folder, num_attention_heads=2)
    assert names_read(safeload.check_bert(folder))[0] == "config.json"


@pytest.mark.parametrize("form", THEIRS)
def test_weights_and_config_that_are_swapped_are_told(form, tmp_path):
    folder = testing.write_bert(tmp_path / "model", form=form)
    with pytest.raises(
        WrongFileKindError, match=r"^config_file and checkpoint_file are swapped: the first is an? "
    ) as e:
        safeload.check_bert(folder / THEIRS[form], folder / "config.json")
    assert e.value.context == (("checkpoint", str(folder / "config.json")),)
    assert e.value.hints == ("pass the config first, then the checkpoint",)
    with pytest.raises(WrongFileKindError, match="is not JSON text"):
        safeload.check_bert(folder / THEIRS[form], folder / "vocab.txt")


def test_a_folder_is_not_said_to_be_given_where_a_file_in_it_was(tmp_path, monkeypatch):
    folder = testing.write_bert(tmp_path / "hf", form="safetensors")
    (folder / "model.safetensors").unlink()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointNotFoundError) as caught:
        safeload.check_bert("hf/config.json")
    assert (caught.value.label, caught.value.resolved, caught.value.given) == ("folder", str(folder), None)
    assert caught.value.context[0] == ("config", str(folder / "config.json"))
    with pytest.raises(CheckpointNotFoundError) as caught:
        safeload.check_bert("hf")
    assert (caught.value.given, caught.value.context[0][0]) == ("hf", "cwd")
