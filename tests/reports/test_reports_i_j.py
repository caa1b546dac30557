"""Reports on ELMo, and on safety."""

from __future__ import annotations

import functools
import pickle
import tarfile

import h5py
import numpy as np
import pytest

import safeload
from safeload import testing
from safeload.errors import ArgumentError, ConfigError, InvalidPathError, VariableMismatchError, WrongFileKindError

SENTENCES = [["A", "good", "film"], ["Bad"]]


def check(folder, *more):
    return functools.partial(safeload.check_elmo, folder, *more)


def loaded(folder, **options):
    pytest.importorskip("torch")
    return safeload.load_elmo(folder, backend="torch", **options).eval()


def vectors(module):
    import torch

    with torch.no_grad():
        return module(safeload.character_ids(SENTENCES))["elmo_representations"][0].numpy()


def test_I1_word_level_or_embeddings(elmo, said):
    with h5py.File(elmo / "weights.hdf5", "w") as file:
        file["0"], file["1"], file["sentence_to_index"] = np.zeros((3, 4, 8)), np.zeros((3, 2, 8)), b"{}"
    said.typed(WrongFileKindError, check(elmo))


def test_I2_no_projection(elmo, said):
    for direction in (0, 1):
        for layer in (0, 1):
            testing.drop_variable(elmo, f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell/W_P_0")
    said.typed(VariableMismatchError, check(elmo))


def test_I3_characters_of_training(elmo, said):
    testing.edit_config(elmo, char_cnn={"n_characters": 261})
    said.typed(ConfigError, check(elmo))


def test_I4_characters_of_a_token(elmo, said):
    testing.edit_config(elmo, char_cnn={"max_characters_per_token": 30})
    said.typed(ConfigError, check(elmo))


def test_I5_skip_connections(elmo, said):
    testing.edit_config(elmo, lstm={"use_skip_connections": None})
    said.typed(ConfigError, check(elmo))


def test_I6_options_of_another_file(elmo, said):
    testing.edit_config(elmo, lstm={"dim": 24, "projection_dim": 16})
    error = said.typed(VariableMismatchError, check(elmo))
    assert len(error.report.problems) > 10


def test_I7_exchanged(elmo, said):
    said.typed(WrongFileKindError, check(elmo / "weights.hdf5", elmo / "options.json"))


def many_langs(folder):
    for path in list(folder.iterdir()):
        path.unlink()
    for name in ("encoder.pkl", "token_embedder.pkl", "char.dic", "word.dic"):
        (folder / name).write_bytes(b"\x80\x03")
    (folder / "config.json").write_text('{"config_path": "/users4/x/configs/cnn_50_100_512_4096_sample.json"}')


def test_I8_many_langs(elmo, said):
    many_langs(elmo)
    said.typed(WrongFileKindError, check(elmo))


def test_I9_path_inside_a_config(elmo, said):
    many_langs(elmo)
    said.typed(WrongFileKindError, check(elmo))


def test_I10_dictionary_of_another_model(elmo, said):
    many_langs(elmo)
    said.typed(WrongFileKindError, check(elmo))


def test_I11_other_names(elmo, said):
    (elmo / "options.json").rename(elmo / "elmo_2x4096_512_options.json")
    (elmo / "weights.hdf5").rename(elmo / "elmo_2x4096_512_weights.hdf5")
    (elmo / "vocab.txt").write_text("the\n")
    assert safeload.check_elmo(elmo).form == "folder"
    said.handled(
        "in a folder, the one JSON file with 'options' and the one HDF5 file with 'weights' in its name are found"
    )


def test_I12_archive_as_weights(elmo, said):
    with tarfile.open(elmo / "model.tar.gz", "w:gz") as archive:
        archive.add(elmo / "weights.hdf5", "weights.th")
    said.typed(WrongFileKindError, check(elmo / "options.json", elmo / "model.tar.gz"))


def test_I13_no_internet(monkeypatch, said):
    monkeypatch.setattr("safeload.elmo._download.importlib.util.find_spec", lambda _name: None)
    said.typed(InvalidPathError, check("https://example.org/elmo_options.json"))


def test_I14_other_vectors_each_time(elmo, said):
    module = loaded(elmo)
    first = vectors(module)
    assert not np.array_equal(first, vectors(module))
    module.reset_states()
    assert np.array_equal(first, vectors(module))
    said.handled(
        "as upstream's, the module carries its state from call to call; the docstring says so, and reset_states() starts anew"
    )


def test_I15_representations_are_no_layers(elmo, said):
    pytest.importorskip("torch")
    module = safeload.load_elmo(elmo, num_output_representations=2, backend="torch").eval()
    out = module(safeload.character_ids(SENTENCES))["elmo_representations"]
    assert np.array_equal(out[0].detach().numpy(), out[1].detach().numpy())
    assert "not a number of layers" in safeload.load_elmo.__doc__
    said.handled(
        "`num_output_representations` counts weighted sums of all layers, equal until they are trained; the docstring says so"
    )


def test_I16_cached_vocabulary(elmo, said):
    module = loaded(elmo, vocab_to_cache=["the", "cat", "the"])
    notes = safeload.report_of(module).notes
    assert notes
    said.handled(f"notes in the report: {'; '.join(notes)}")


def test_I18_string_as_sentence(said):
    with pytest.raises(ArgumentError):
        safeload.character_ids("A good film")
    said.typed(ArgumentError, lambda: safeload.character_ids(["A", "good", "film"]))


def test_I19_two_models(tmp_path, said):
    models = [loaded(testing.write_elmo(tmp_path / str(seed), seed=seed)) for seed in (1, 2)]
    assert not np.array_equal(vectors(models[0]), vectors(models[1]))
    said.handled("each load has parameters of its own")


def test_I20_tf_hub(elmo, said):
    for name in ("options.json", "weights.hdf5"):
        (elmo / name).unlink()
    for name in ("saved_model.pb", "tfhub_module.pb"):
        (elmo / name).write_bytes(b"\x08\x01")
    said.typed(WrongFileKindError, check(elmo))


def test_I21_device(elmo, said):
    assert {parameter.device.type for parameter in loaded(elmo).parameters()} == {"cpu"}
    said.handled("the module is on the CPU until the caller moves it")


def test_J1_pickle(elmo, said):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    (elmo / "weights.hdf5").write_bytes(pickle.dumps(Bomb()))
    said.typed(WrongFileKindError, check(elmo))
