"""The checkpoints that bilm-tf's own graph leaves, written by TensorFlow."""

from __future__ import annotations

import json

import numpy as np
import pytest

import safeload
from safeload.elmo.namings.bilm_tf import BilmTf
from safeload.errors import (
    AmbiguousCheckpointError,
    ArgumentError,
    ConfigError,
    VariableMismatchError,
    WrongFileKindError,
)
from safeload.testing._bundle import write_bundle
from safeload.testing._elmo import elmo_datasets
from safeload.testing._forms import in_naming
from tests.elmo.bilm_graph import of_training, save_training
from tests.elmos import BACKENDS, options, write_weights

SENTENCES = [["A", "good", "film", "."], ["Bad", "plot", "!"]]
N_LAYERS = (1, 2, 3)


def dumped(variables, n_layers):
    """Return the datasets that bilm-tf's dump_weights writes of these variables, as AllenNLP reads them."""
    datasets = {}
    for name, values in variables.items():
        if name.endswith("/Adagrad") or not name.startswith("lm/") or "softmax" in name:
            continue
        new = name.removeprefix("lm/")
        old = "rnn/lstm_cell" if n_layers == 1 else "rnn/multi_rnn_cell/cell_{}/lstm_cell"
        for layer in range(n_layers):
            new = new.replace(old.format(layer), f"RNN/MultiRNNCell/Cell{layer}/LSTMCell")
        for theirs, ours in (("projection/kernel", "W_P_0"), ("kernel", "W_0"), ("bias", "B")):
            if new.endswith(f"LSTMCell/{theirs}"):
                new = f"{new.removesuffix(theirs)}{ours}"
        datasets[new] = values
    return datasets


@pytest.fixture(scope="module")
def trained(tf, tmp_path_factory):
    """Return number of layers -> the folder of a training, and that of the HDF5 file made of it."""
    folders = {}
    for n_layers in N_LAYERS:
        root = tmp_path_factory.mktemp("bilm")
        wanted = options(lstm={"n_layers": n_layers})
        variables = save_training(tf, root / "training", wanted)
        (root / "dumped").mkdir()
        (root / "dumped" / "options.json").write_text(json.dumps(wanted))
        write_weights(root / "dumped" / "weights.hdf5", dumped(variables, n_layers))
        folders[n_layers] = root / "training", root / "dumped"
    return folders


def vectors_of(*paths, backend):
    ids = safeload.character_ids(SENTENCES)
    return (
        safeload.load_elmo(*paths, backend=backend, dropout=0.0).eval()(ids)["elmo_representations"][0].detach().numpy()
    )


@pytest.mark.parametrize("n_layers", N_LAYERS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_training_gives_what_its_hdf5_file_does(trained, backend, n_layers):
    folder, hdf5 = trained[n_layers]

    np.testing.assert_array_equal(vectors_of(folder, backend=backend), vectors_of(hdf5, backend=backend))


@pytest.mark.parametrize("n_layers", N_LAYERS)
def test_allennlp_s_own_reader_of_the_hdf5_file_gives_the_same(trained, n_layers):
    elmo = pytest.importorskip("allennlp.modules.elmo")
    folder, hdf5 = trained[n_layers]
    theirs = elmo.Elmo(str(hdf5 / "options.json"), str(hdf5 / "weights.hdf5"), 1, dropout=0.0).eval()
    wanted = theirs(safeload.character_ids(SENTENCES))["elmo_representations"][0].detach().numpy()

    np.testing.assert_array_equal(vectors_of(folder, backend="allennlp"), wanted)
    np.testing.assert_allclose(vectors_of(folder, backend="torch"), wanted, atol=1e-6)


@pytest.mark.parametrize("n_layers", N_LAYERS)
def test_the_softmax_the_slots_and_the_steps_are_unused(trained, n_layers):
    report = safeload.check_elmo(trained[n_layers][0])
    n_parameters = 17 + 6 * n_layers

    assert (report.form, report.naming, report.scope) == ("tensorflow", "bilm-tf", "lm/")
    assert report.place == "folder with a checkpoint state file"
    assert (len(report.read), report.warnings, report.notes) == (n_parameters, (), ())
    assert {what: len(names) for what, names in report.unused.items()} == {"training": n_parameters + 2 + 2 + 2}
    assert report.checksums == f"CRC32C of {n_parameters} variables and of the index file"


@pytest.mark.parametrize(
    "last",
    [
        "model.ckpt-12",
        "model.ckpt-12.index",
        "model.ckpt-12.meta",
        "checkpoint",
        "",
        "model.ckpt-12.data-00000-of-00001",
    ],
)
def test_every_path_of_the_checkpoint_leads_to_it(trained, last):
    folder, _ = trained[2]

    assert len(safeload.check_elmo(folder / "options.json", folder / last).read) == 29
    assert len(safeload.check_elmo(folder, folder / last).read) == 29


def test_the_options_may_have_the_number_for_padding_already(trained, tmp_path):
    folder, _ = trained[2]
    (tmp_path / "options.json").write_text(json.dumps(options()))

    assert len(safeload.check_elmo(tmp_path, folder).read) == 29


def test_other_numbers_of_characters_and_other_forms_refuse_those_of_training(trained, tmp_path):
    folder, hdf5 = trained[2]
    with pytest.raises(ConfigError, match=r"char_cnn\.n_characters: 261 is the value for training"):
        safeload.check_elmo(folder / "options.json", hdf5 / "weights.hdf5")
    (tmp_path / "options.json").write_text(json.dumps(options(char_cnn={"n_characters": 260})))
    with pytest.raises(ConfigError, match=r"n_characters: expected 262"):
        safeload.check_elmo(tmp_path, folder)


def test_a_keras_layer_of_a_training_has_the_options_of_use(trained):
    pytest.importorskip("tensorflow")
    layer = safeload.load_elmo(trained[1][0], backend="keras")
    config = layer.get_config()

    assert config["options"]["char_cnn"]["n_characters"] == 262
    assert type(layer).from_config(config).get_config() == config


def test_a_bilm_of_words_is_called_that(tf, tmp_path):
    save_training(tf, tmp_path / "words", options(), words=True)
    with pytest.raises(WrongFileKindError) as caught:
        safeload.check_elmo(tmp_path / "words")
    assert caught.value.found == "the weights of a word-level biLM"

    of_words = {key: value for key, value in of_training(options()).items() if key != "char_cnn"}
    (tmp_path / "words" / "options.json").write_text(json.dumps(of_words))
    with pytest.raises(ConfigError, match="a word-level biLM"):
        safeload.check_elmo(tmp_path / "words")


def test_variables_of_a_deeper_training_keep_their_names(trained):
    with pytest.raises(VariableMismatchError) as caught:
        safeload.check_elmo(trained[2][0] / "options.json", trained[3][0])

    names = [problem.name for problem in caught.value.report.problems]
    assert sorted(names) == [
        f"lm/RNN_{direction}/rnn/multi_rnn_cell/cell_2/lstm_cell/{part}"
        for direction in (0, 1)
        for part in ("bias", "kernel", "projection/kernel")
    ]
    assert safeload.check_elmo(trained[2][0] / "options.json", trained[3][0], ignore_unused=["RNN_*/Cell2/*"]).ignored


def test_an_hdf5_file_in_the_folder_of_its_training_is_the_weights(trained, tmp_path):
    folder, hdf5 = trained[2]
    for path in (*folder.iterdir(), hdf5 / "weights.hdf5", hdf5 / "options.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())

    assert safeload.check_elmo(tmp_path).form == "hdf5"


def test_two_bilms_in_a_checkpoint_are_chosen_by_scope(tmp_path):
    (tmp_path / "options.json").write_text(json.dumps(of_training(options())))
    both = {
        **in_naming(elmo_datasets(), BilmTf(), "a/lm/"),
        **in_naming(elmo_datasets(seed=1), BilmTf(), "b/lm/"),
        "head/W": np.ones((2, 2), "f4"),
    }
    write_bundle(tmp_path / "m.ckpt", both, 1)
    with pytest.raises(AmbiguousCheckpointError, match="2 biLMs") as caught:
        safeload.check_elmo(tmp_path)
    assert caught.value.candidates == ("a/lm/", "b/lm/")
    report = safeload.check_elmo(tmp_path, scope="b/lm")
    assert (report.scope, len(report.read)) == ("b/lm/", 29)
    assert {what: len(names) for what, names in report.unused.items()} == {"other biLMs": 29, "task heads": 1}
    with pytest.raises(ArgumentError, match="no biLM under the scope 'c'"):
        safeload.check_elmo(tmp_path, scope="c")
