"""Reports on ELMo, and on safety."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import safeload
from safeload import testing
from safeload._frameworks import elmo as frameworks
from safeload._frameworks import packages
from safeload._frameworks.tensorflow import require_keras_bert
from safeload.errors import (
    ArgumentError,
    FileSystemError,
    MissingDependencyError,
    VariableMismatchError,
)
from safeload.lock import LOCK_NAME
from tests.command_line import safeload_cli

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


def test_I6_options_of_another_file(reported):
    assert len(reported.report.problems) > 10


def test_I11_other_names(elmo, said):
    (elmo / "options.json").rename(elmo / "elmo_2x4096_512_options.json")
    (elmo / "weights.hdf5").rename(elmo / "elmo_2x4096_512_weights.hdf5")
    (elmo / "vocab.txt").write_text("the\n")
    assert safeload.check_elmo(elmo).place == "folder"
    said.handled(
        "in a folder, safeload finds the one JSON file with 'options' and the one HDF5 file with 'weights' in its name"
    )


def test_I20_a_module_of_tf_hub(tmp_path, said):
    folder = testing.write_elmo(tmp_path / "module", form="tensorflow/tf-hub")
    assert len(safeload.check_elmo(folder).read) == 29
    said.handled("the variables in the module's folder or archive load in every backend; its graph is not run")


def test_I26_a_training_checkpoint(tmp_path, said):
    folder = testing.write_elmo(tmp_path / "training", form="tensorflow")
    assert len(safeload.check_elmo(folder).read) == 29
    said.handled(
        "pass the checkpoint with the options.json of the training; its softmax and the optimizer's slots are not read"
    )


def test_I27_the_weights_of_a_model(tmp_path, said):
    folder = testing.write_elmo(tmp_path / "run", form="torch/model")
    (folder / "weights.th").rename(folder / "best.th")
    assert len(safeload.check_elmo(folder).read) == len(safeload.check_elmo(folder / "best.th").read) == 29
    said.handled(
        "the ELMo in the state dict, its folder or its archive loads in every backend, without AllenNLP; nothing is unpickled"
    )


def test_I13_no_internet(monkeypatch, said):
    monkeypatch.setattr("safeload._bytes.remote.attempts.FIRST_WAIT", 0.0)
    said.typed(FileSystemError, check("http://127.0.0.1:9/elmo_options.json"))


def test_I14_other_vectors_each_time(elmo, said):
    module = loaded(elmo)
    first = vectors(module)
    assert not np.array_equal(first, vectors(module))
    module.reset_states()
    assert np.array_equal(first, vectors(module))
    said.handled(
        "like upstream's, the module keeps its state between calls, as its docstring says; reset_states() resets it"
    )


def test_I15_representations_are_no_layers(elmo, said):
    pytest.importorskip("torch")
    module = safeload.load_elmo(elmo, num_output_representations=2, backend="torch").eval()
    out = module(safeload.character_ids(SENTENCES))["elmo_representations"]
    assert np.array_equal(out[0].detach().numpy(), out[1].detach().numpy())
    assert "not a number of layers" in safeload.load_elmo.__doc__
    said.handled(
        "`num_output_representations` counts weighted sums of all layers, which are equal until they are trained; the docstring says so"
    )


def test_I16_cached_vocabulary(elmo, said):
    module = loaded(elmo, vocab_to_cache=["the", "cat", "the"])
    said.noted(safeload.report_of(module))


def test_I18_string_as_sentence(said):
    with pytest.raises(ArgumentError):
        safeload.character_ids("A good film")
    said.typed(ArgumentError, lambda: safeload.character_ids(["A", "good", "film"]))


def test_I19_two_models(tmp_path, said):
    models = [loaded(testing.write_elmo(tmp_path / str(seed), seed=seed)) for seed in (1, 2)]
    assert not np.array_equal(vectors(models[0]), vectors(models[1]))
    said.handled("each load makes its own parameters")


def test_I22_padding_before_words(elmo, said):
    ids = pytest.importorskip("torch").zeros(1, 3, 50).long()
    ids[0, 2] = safeload.character_ids([["film"]])[0, 0]
    output = loaded(elmo, stateful=False)(ids)
    assert output["mask"].tolist() == [[False, False, True]]
    assert output["elmo_representations"][0][0, 2].any()
    said.handled(
        '`character_ids` pads with zeros after the words; `backend="torch"` and the Keras layer also compute words after '
        "padding, and AllenNLP's module warns about them"
    )


def test_I23_a_sentence_as_a_word(said):
    pytest.importorskip("torch")
    assert said.warned(lambda: safeload.character_ids([["a whole sentence"]])).shape == (1, 1, 50)


def test_I24_an_empty_sentence(elmo, said):
    assert loaded(elmo)(safeload.character_ids([[]]))["elmo_representations"][0].shape == (1, 0, 16)
    said.handled("a sentence without words gives no vectors and no NaN")


def test_I25_the_mean_of_no_words(elmo, said):
    pytest.importorskip("keras_bert")
    require_keras_bert()  # a process has one Keras: that of the other tests
    from safeload.keras import ElmoMean, ElmoTokens

    layer = safeload.load_elmo(elmo, backend="keras")
    ids = ElmoTokens()([["Hello"], [""]])
    found = np.asarray(ElmoMean()(layer(ids), mask=layer.compute_mask(ids)))
    assert found[0].any()
    assert not found[1].any()
    said.handled("`safeload.keras.ElmoMean` returns zeros for a text without words")


def test_I21_device(elmo, said):
    assert {parameter.device.type for parameter in loaded(elmo).parameters()} == {"cpu"}
    said.handled("the module is on the CPU until you move it")


def test_I28_ids_that_no_character_has(elmo, said):
    module = loaded(elmo)
    ids = safeload.character_ids(SENTENCES)
    for wrong in (ids - 1, ids.float(), ids[..., :49]):
        with pytest.raises(ArgumentError):
            module(wrong)
    ids[0, 1, 2] = 262
    said.typed(ArgumentError, lambda: module(ids))


def test_I29_words_in_an_array_of_objects(said):
    require_keras_bert()
    from safeload.keras import ElmoTokens

    words = np.array([["A", "film"], ["Bad", ""]], dtype=object)
    assert np.array_equal(ElmoTokens()(words), safeload.character_ids([["A", "film"], ["Bad"]]))
    said.handled("`safeload.keras.ElmoTokens` takes lists, tensors and NumPy arrays of strings or objects")


def test_I30_a_config_with_options_of_another_model(elmo, said):
    pytest.importorskip("allennlp", reason="AllenNLP installs on Python 3.10 only")
    from allennlp.common import Params
    from allennlp.modules.token_embedders import TokenEmbedder

    from safeload.compat.allennlp import ElmoTokenEmbedder

    testing.edit_config(elmo, lstm={"n_layers": 1})
    files = {"options_file": str(elmo / "options.json"), "weight_file": str(elmo / "weights.hdf5")}
    embedder = {"type": "safeload_elmo_token_embedder", **files}
    assert TokenEmbedder.by_name(embedder["type"]) is ElmoTokenEmbedder
    said.typed(VariableMismatchError, lambda: TokenEmbedder.from_params(Params(embedder)))


def test_I31_half_precision(elmo, said):
    h5py = pytest.importorskip("h5py")
    with h5py.File(elmo / "weights.hdf5", "a") as file:
        values = {}
        file.visititems(lambda name, item: values.update({name: item[...]}) if isinstance(item, h5py.Dataset) else None)
        for name, value in values.items():
            del file[name]
            file[name] = value.astype("float16")
    assert {parameter.dtype for parameter in loaded(elmo)._elmo_lstm.parameters()} == {
        pytest.importorskip("torch").float32
    }
    said.noted(safeload.check_elmo(elmo))


def test_J7_a_link_in_the_place_of_a_new_file(elmo, tmp_path, said):
    (tmp_path / "other").write_text("of another program")
    (elmo / LOCK_NAME).symlink_to(tmp_path / "other")
    (elmo / "page.html").symlink_to(tmp_path / "other")
    safeload_cli("lock", "--update", elmo)
    safeload_cli("inspect", elmo, "--html", elmo / "page.html")
    assert (tmp_path / "other").read_text() == "of another program"
    assert not any((elmo / name).is_symlink() for name in (LOCK_NAME, "page.html"))
    said.told("what it wrote; the new lock or page replaces the link, and nothing is written to the link's target")


def test_J9_what_installs_a_missing_package(monkeypatch, said):
    with monkeypatch.context() as patched:  # the packages are those for one Python
        patched.setattr("sys.version_info", (3, 10, 13))
        monkeypatch.setattr(frameworks, "INSTALL_ELMO", packages.install("elmo"))
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    error = said.typed(MissingDependencyError, lambda: frameworks.choose_backend("torch"))
    assert "safeload[" not in str(error)
