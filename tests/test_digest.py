"""The digest of a report: equal for equal weights, wherever they are and whatever reads them, and for no others."""

from __future__ import annotations

import json
import shutil
import tarfile

import h5py
import numpy as np
import pytest

import safeload
from safeload import testing
from safeload.testing._forms import FORMS
from tests.checkpoints import write_checkpoint
from tests.forms.tensorflow.test_parts import save_parts, specs_of
from tests.forms.torch.archives import opened as opened_torch
from tests.opened import opened_checkpoint, opened_hdf5


def digest(folder, **options):
    return safeload.check_bert(folder, training=True, **options).digest


def digest_of_weights(folder):
    return safeload.check_weights(folder).digest


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("digest_of", [digest, digest_of_weights], ids=["bert", "any"])
def test_other_values_have_another_digest_in_every_form(digest_of, form, tmp_path):
    for name, seed in (("one", 1), ("copy", 1), ("two", 2)):
        testing.write_bert(tmp_path / name, form=form, seed=seed)

    assert digest_of(tmp_path / "one") == digest_of(tmp_path / "copy")
    assert digest_of(tmp_path / "one") != digest_of(tmp_path / "two")
    assert len(digest_of(tmp_path / "one")) == 64


@pytest.mark.parametrize("form", ["hdf5", "tensorflow", "torch"])
def test_other_values_of_an_elmo_have_another_digest(form, tmp_path):
    for name, seed in (("one", 1), ("copy", 1), ("two", 2)):
        testing.write_elmo(tmp_path / name, form=form, seed=seed)

    found = [safeload.check_elmo(tmp_path / name).digest for name in ("one", "copy", "two")]

    assert found[0] == found[1] != found[2]


def test_a_load_has_the_digest_of_a_check(bert):
    pytest.importorskip("keras_bert")
    report = safeload.report_of(safeload.load_bert(bert, training=True))

    assert report.digest == digest(bert)
    assert report.to_dict()["digest"] == report.digest
    assert report.digest in str(report)
    assert report.digest in report._repr_html_()


def test_a_load_into_torch_has_it_too(tmp_path):
    pytest.importorskip("torch")
    testing.write_elmo(tmp_path)

    report = safeload.report_of(safeload.load_elmo(tmp_path, backend="torch"))

    assert report.digest == safeload.check_elmo(tmp_path).digest


def test_one_bit_of_a_value_makes_another_digest(tmp_path):
    testing.write_elmo(tmp_path)
    before = safeload.check_elmo(tmp_path).digest
    with h5py.File(next(tmp_path.glob("*.hdf5")), "r+") as file:
        values = file["CNN/b_cnn_0"]
        values[0] = np.nextafter(values[0], np.float32(9))

    assert safeload.check_elmo(tmp_path).digest != before


def test_values_that_are_exchanged_make_another_digest(tmp_path):
    names = ["bert/encoder/layer_0/attention/self/query/kernel", "bert/encoder/layer_0/attention/self/key/kernel"]
    tensors = testing._bert.bert_tensors()
    swapped = {**tensors, names[0]: tensors[names[1]], names[1]: tensors[names[0]]}
    for name, values in (("one", tensors), ("two", swapped)):
        testing.write_bert(tmp_path / name)
        testing.write_checkpoint(tmp_path / name / "bert_model.ckpt", values)

    assert digest(tmp_path / "one") != digest(tmp_path / "two")


def test_settings_that_no_file_proves_are_part_of_it(bert, tmp_path):
    folder = shutil.copytree(bert, tmp_path / "m")
    before, config = digest(folder), json.loads((folder / "bert_config.json").read_text())
    for same in ({"hidden_dropout_prob": 0.5}, {"layer_norm_eps": 1e-12}):
        (folder / "bert_config.json").write_text(json.dumps({**config, **same}))
        assert digest(folder) == before
    for other in ({"num_attention_heads": 2}, {"layer_norm_eps": 1e-13}):
        (folder / "bert_config.json").write_text(json.dumps({**config, **other}))
        assert digest(folder) != before


def test_forms_that_store_the_same_tensors_have_the_same_digest(tmp_path):
    for form in ("safetensors", "torch"):
        testing.write_bert(tmp_path / form, form=form)
    with tarfile.open(tmp_path / "m.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "torch", "m")

    assert len({digest(tmp_path / each) for each in ("safetensors", "torch", "m.tar.gz")}) == 1
    testing.write_bert(tmp_path / "google")
    assert digest(tmp_path / "google") != digest(tmp_path / "torch")  # whose kernels are transposed


def awkward_checkpoint(folder):
    import tensorflow as tf

    pieces = []
    for cuts in ([[0, 2, 10], None], [[0, 1, 4], [0, 2, 5]]):
        for dtype in (np.float32, np.int32):
            shape, parts = specs_of(cuts)
            whole = (np.arange(np.prod(shape)) % 99).astype(dtype).reshape(shape)
            pieces.append(str(folder / f"piece_{len(pieces)}"))
            save_parts(pieces[-1], f"v{len(pieces)}", whole, parts)
    write_checkpoint(
        folder / "plain", {"a": np.ones((3, 4), np.float16), "n": np.int64(7), "s": np.array([b"x", b"yy"])}
    )
    tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=[*pieces, str(folder / "plain")], destination_prefix=str(folder / "m")
    )
    return opened_checkpoint(folder / "m")


def awkward_hdf5(folder):
    values = np.arange(35_000).reshape(700, 50)
    with h5py.File(folder / "w.h5", "w") as file:
        for dtype in ("f4", ">f4", "i4", ">i4", "f8"):
            file[f"plain {dtype}"] = values.astype(dtype)
            file.create_dataset(f"in chunks {dtype}", data=values.astype(dtype), chunks=(64, 20), compression="gzip")
        file["one"] = np.float32(1)
    return opened_hdf5(folder / "w.h5")


def awkward_torch(folder):
    torch = pytest.importorskip("torch")
    tensors = {}
    for dtype in (torch.float32, torch.int64, torch.bfloat16):
        base = torch.arange(24).reshape(4, 6).to(dtype)
        views = {"all": base, "turned": base.t(), "part": base[1:3, 2:5], "steps": base[::2, ::3], "none": base[2:2]}
        tensors |= {f"{name} {dtype}": view for name, view in views.items()}
    torch.save(tensors, folder / "m.bin")
    return opened_torch(folder / "m.bin")


@pytest.mark.parametrize("awkward", [awkward_checkpoint, awkward_hdf5, awkward_torch])
def test_a_check_and_each_way_to_read_see_the_same_checksum(awkward, tmp_path):
    found = []
    for use in (
        lambda weights, names: weights.verify(names),
        lambda weights, names: weights.read(names),
        lambda weights, names: weights.read(names, floats=True),
        lambda weights, names: weights.read(names, floats=True, turned=names),
    ):
        folder = tmp_path / str(len(found))
        folder.mkdir()
        with awkward(folder) as weights:
            use(weights, [name for name in weights.tensors if weights.has_readable_type(name)])
            found.append({name: seen.checksum for name, seen in weights.seen.items()})

    assert all(found[0].values())
    assert found[1:] == found[:1] * 3
