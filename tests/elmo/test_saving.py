"""An ELMo that is saved comes back: the same values, the same outputs, in every runtime and to the upstream readers."""

from __future__ import annotations

import errno
import json
import os
import subprocess

import h5py
import numpy as np
import pytest
import torch

import safeload
from safeload.elmo import _saving
from safeload.elmo._parameters import CHAR_EMBED
from safeload.errors import (
    ArgumentError,
    BackendError,
    ConfigError,
    FileSystemError,
    InvalidPathError,
    WrongFileKindError,
)
from safeload.lock import LOCK_NAME, read_lock
from tests.elmo.shapes import SENTENCES, SHAPES, each_shape
from tests.elmos import BACKENDS, OPTIONS_NAME, WEIGHTS_NAME, options, random_datasets, write_elmo, write_weights
from tests.limits import file_size_limit

NAMES = [OPTIONS_NAME, WEIGHTS_NAME]
each_backend = pytest.mark.parametrize("backend", BACKENDS)


def load(folder, backend="torch", **arguments):
    return safeload.load_elmo(folder, backend=backend, dropout=0.0, **arguments)


def tuned(folder, backend, seed=0):
    """Return a module that three steps of Adam have changed, as a training does."""
    torch.manual_seed(seed)
    module = load(folder, backend, requires_grad=True)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        (module(safeload.character_ids(SENTENCES))["elmo_representations"][0] ** 2).mean().backward()
        optimizer.step()
    return module


def outputs(module):
    module.eval()._elmo_lstm._elmo_lstm.reset_states()  # those of a training are not saved
    with torch.no_grad():
        return module._elmo_lstm(safeload.character_ids(SENTENCES))["activations"]


def largest_difference(ours, theirs):
    return max(float((a - b).abs().max()) for a, b in zip(outputs(ours), outputs(theirs), strict=True))


def compared(ours, theirs):
    """Return how many parameters of the biLM differ in how many values, and by how much."""
    ours, theirs = (dict(module._elmo_lstm.named_parameters()) for module in (ours, theirs))
    assert list(ours) == list(theirs)
    differ = {name: ours[name].detach() != theirs[name].detach() for name in ours}
    names = tuple(name for name in ours if differ[name].any())
    largest = max((float((ours[name] - theirs[name]).detach().abs().max()) for name in names), default=0.0)
    return sum(int(each.sum()) for each in differ.values()), largest, names


@each_backend
@each_shape
def test_what_was_loaded_comes_back_bit_by_bit(shape, backend, tmp_path):
    write_elmo(tmp_path, shape)
    module = load(tmp_path, backend)
    report = safeload.save_elmo(module, tmp_path / "saved")

    assert (report.n_inexact, report.largest_difference, report.inexact, report.notes) == (0, 0.0, (), ())
    assert compared(module, load(tmp_path / "saved", backend)) == (0, 0.0, ())
    assert json.loads((tmp_path / "saved" / OPTIONS_NAME).read_text()) == shape


@each_backend
@each_shape
def test_what_was_trained_comes_back_but_for_biases_of_forget_gates(shape, backend, tmp_path):
    write_elmo(tmp_path, shape)
    module = tuned(tmp_path, backend)
    report = safeload.save_elmo(module, tmp_path / "saved")
    for other in BACKENDS:
        again = load(tmp_path / "saved", other)
        n_inexact, largest, names = compared(module, again)
        assert (n_inexact, largest) == (report.n_inexact, report.largest_difference)
        assert set(names) == set(report.inexact)
        assert largest_difference(module, again) < 1e-6

    assert report.n_inexact > 0
    assert report.largest_difference <= 2**-23
    assert all(name.endswith("state_linearity.bias") for name in report.inexact)
    assert report.n_values == sum(p.numel() for p in module._elmo_lstm.parameters())


def test_allennlp_reads_what_was_trained_elsewhere(elmo, tmp_path):
    upstream = pytest.importorskip("allennlp.modules.elmo", reason="AllenNLP installs on Python 3.10 only")
    module = tuned(elmo, "torch")
    safeload.save_elmo(module, tmp_path / "saved")
    theirs = upstream.Elmo(*(str(tmp_path / "saved" / name) for name in NAMES), 1)

    assert largest_difference(module, theirs) < 1e-6


def test_allennlps_own_modules_are_saved(elmo, tmp_path):
    upstream = pytest.importorskip("allennlp.modules.elmo", reason="AllenNLP installs on Python 3.10 only")
    from allennlp.modules.token_embedders import ElmoTokenEmbedder

    files = [str(elmo / name) for name in NAMES]
    for number, module in enumerate(
        [upstream.Elmo(*files, 2), upstream._ElmoBiLm(*files), ElmoTokenEmbedder(*files, projection_dim=3)]
    ):
        report = safeload.save_elmo(module, tmp_path / str(number))
        assert report.n_inexact == 0
        assert compared(load(elmo), load(tmp_path / str(number))) == (0, 0.0, ())


def bilm_tf_name(variable):
    """Return the dataset that bilm-tf's graph takes for its variable.

    Source:
        allenai/bilm-tf, bilm/model.py, _pretrained_initializer.
    """
    name = variable[len("bilm/") :]
    for part, dataset in (("kernel", "W_0"), ("bias", "B"), ("projection/kernel", "W_P_0")):
        name = name.replace(f"/rnn/lstm_cell/{part}", f"/LSTMCell/{dataset}")
    return name


@each_backend
def test_bilm_tf_finds_what_its_graph_asks_for(backend, tmp_path):
    shape = SHAPES["tiny"]
    write_elmo(tmp_path, shape)
    safeload.save_elmo(load(tmp_path, backend), tmp_path / "saved")
    cells = [f"bilm/RNN_{d}/RNN/MultiRNNCell/Cell{n}/rnn/lstm_cell" for d in range(2) for n in range(2)]
    variables = ["bilm/char_embed", "bilm/CNN_proj/W_proj", "bilm/CNN_proj/b_proj"]
    variables += [f"bilm/CNN/{part}_cnn_{n}" for part in "Wb" for n in range(3)]
    variables += [
        f"bilm/CNN_high_{n}/{part}_{gate}" for n in range(2) for part in "Wb" for gate in ("carry", "transform")
    ]
    variables += [f"{cell}/{part}" for cell in cells for part in ("kernel", "bias", "projection/kernel")]
    original = random_datasets(shape)
    with h5py.File(tmp_path / "saved" / WEIGHTS_NAME) as file:
        found = {bilm_tf_name(variable): file[bilm_tf_name(variable)][...] for variable in variables}

    assert found.keys() == original.keys()
    for name, value in found.items():
        assert value.dtype == np.float32
        assert np.abs(value - original[name]).max() <= (2**-23 if name.endswith("/B") else 0), name
    saved = json.loads((tmp_path / "saved" / OPTIONS_NAME).read_text())
    assert saved["char_cnn"]["n_characters"] == 262


def test_a_bias_that_a_file_can_hold_always_comes_back():
    """A law of float32: of all v with v + 1 == m, m - 1 is one, if there is any."""
    bits = np.arange(0, 1 << 32, 4099, dtype=np.uint64).astype(np.uint32)
    values = bits.view(np.float32)
    stored = values[np.isfinite(values)]
    one = np.float32(1)
    module = stored + one

    assert np.array_equal((module - one) + one, module)


def test_biases_that_one_swallows_come_back_to_the_same_module(tmp_path):
    datasets = random_datasets()
    for name, value in datasets.items():
        if name.endswith("/B"):
            value[:] = np.float32(10) ** np.linspace(-12, 2, value.size) * np.where(np.arange(value.size) % 2, -1, 1)
    (tmp_path / OPTIONS_NAME).write_text(json.dumps(options()))
    write_weights(tmp_path / WEIGHTS_NAME, datasets)
    module = load(tmp_path)

    assert safeload.save_elmo(module, tmp_path / "saved").n_inexact == 0
    assert compared(module, load(tmp_path / "saved")) == (0, 0.0, ())


@pytest.mark.parametrize("shape", [options(lstm={"use_skip_connections": False}), SHAPES["one_layer"]], ids=str)
def test_what_allennlp_cannot_build_is_saved(shape, tmp_path):
    write_elmo(tmp_path, shape)
    module = load(tmp_path)
    safeload.save_elmo(module, tmp_path / "saved")

    assert json.loads((tmp_path / "saved" / OPTIONS_NAME).read_text()) == shape
    assert largest_difference(module, load(tmp_path / "saved")) == 0


def test_a_keras_layer_is_saved_bit_by_bit(elmo, tmp_path):
    pytest.importorskip("tensorflow")
    layer = load(elmo, "keras", requires_grad=True)
    rng = np.random.default_rng(0)
    for variable in layer.datasets.values():
        variable.assign_add(rng.standard_normal(variable.shape).astype(np.float32) * 0.01)
    report = safeload.save_elmo(layer, tmp_path / "saved")

    assert (report.n_inexact, report.notes) == (0, ())
    with h5py.File(tmp_path / "saved" / WEIGHTS_NAME) as file:
        for name, variable in layer.datasets.items():
            assert np.array_equal(file[name][...], variable.numpy()), name
    ids = safeload.character_ids(SENTENCES)
    vectors = load(tmp_path / "saved", "torch").eval()(ids)["elmo_representations"][0].detach().numpy()
    assert np.abs(np.asarray(layer(ids.numpy().astype("int32"))) - vectors).max() < 1e-5


def test_a_keras_layer_without_values_is_refused(elmo, tmp_path):
    pytest.importorskip("tensorflow")
    from safeload.keras import ElmoLayer

    layer = ElmoLayer(json.loads((elmo / OPTIONS_NAME).read_text()))
    with pytest.raises(ArgumentError, match="module must be"):
        safeload.save_elmo(layer, tmp_path / "saved")
    layer.build((None, None, 50))
    with pytest.raises(ArgumentError, match="NaN or infinite values in 29 of its datasets"):
        safeload.save_elmo(layer, tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened(dtype, elmo, tmp_path):
    module = load(elmo).to(dtype)
    report = safeload.save_elmo(module, tmp_path / "saved")
    again = load(tmp_path / "saved")

    assert report.n_inexact == compared(module.float(), again)[0]
    assert all(name.endswith("state_linearity.bias") for name in report.inexact)


def test_doubles_are_rounded_and_counted(elmo, tmp_path):
    module = load(elmo, requires_grad=True).double()
    with torch.no_grad():
        module._elmo_lstm._token_embedder._projection.bias += 1e-12
    report = safeload.save_elmo(module, tmp_path / "saved")

    assert report.inexact == ("_token_embedder._projection.bias",)
    assert (report.n_inexact, report.largest_difference) == (8, pytest.approx(1e-12))


class Wrapper(torch.nn.Module):
    """What DataParallel and its like do: keep the module under this name."""

    def __init__(self, module):
        super().__init__()
        self.module = module


def test_wrappers_are_looked_through(elmo, tmp_path):
    module = load(elmo)
    for number, wrapped in enumerate([Wrapper(module), torch.nn.DataParallel(module), Wrapper(Wrapper(module))]):
        safeload.save_elmo(wrapped, tmp_path / str(number))
        assert compared(module, load(tmp_path / str(number))) == (0, 0.0, ())


@each_backend
def test_learned_weights_of_sums_are_noted(backend, elmo, tmp_path):
    module = load(elmo, backend, num_output_representations=2)
    with torch.no_grad():
        module.scalar_mix_1.gamma += 1
    (note,) = safeload.save_elmo(module, tmp_path / "saved").notes

    assert note.startswith("the learned weights of scalar_mix_1 have no place in these files")


def test_a_row_of_padding_that_is_not_zero_is_counted(elmo, tmp_path):
    module = load(elmo)
    with torch.no_grad():
        module._elmo_lstm._token_embedder._char_embedding_weights[0, :2] = 0.5
    report = safeload.save_elmo(module, tmp_path / "saved")

    assert (report.n_inexact, report.largest_difference) == (2, 0.5)
    assert report.inexact == ("_token_embedder._char_embedding_weights",)
    assert largest_difference(module, load(tmp_path / "saved")) == 0


def test_the_report_is_text_and_json(elmo, tmp_path):
    report = safeload.save_elmo(tuned(elmo, "torch"), str(tmp_path / "saved"), lock=True)
    lines = str(report).splitlines()

    assert lines[0] == "ELMo: 29 datasets written, read back and verified"
    assert f"  weight:      {tmp_path / 'saved' / WEIGHTS_NAME} " in str(report)
    values = f"{report.n_inexact} of 6,696 values come back changed, by {report.largest_difference:.3g} at most"
    assert f"  values:      {values}" in lines
    assert json.loads(json.dumps(report.to_dict()))["n_inexact"] == report.n_inexact
    assert list(report.seconds) == ["write", "check", "compare", "lock"]
    assert [(file.role, os.path.basename(file.path)) for file in report.files] == [
        ("options", OPTIONS_NAME),
        ("lock", LOCK_NAME),
        ("weight", WEIGHTS_NAME),
    ]
    assert "all 6,696 values come back exactly" in str(safeload.save_elmo(load(elmo), tmp_path / "other"))


def test_a_lock_is_written_on_request(elmo, tmp_path):
    safeload.save_elmo(load(elmo), tmp_path / "saved", lock=True)
    lock = read_lock(tmp_path / "saved" / LOCK_NAME)

    assert [file.name for file in lock.files] == NAMES
    assert "lock" in safeload.check_elmo(tmp_path / "saved").seconds


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_are_replaced_only_on_request(elmo):
    (elmo / "notes.txt").write_text("mine")
    before = contents(elmo)
    module = tuned(elmo, "torch")
    with pytest.raises(ArgumentError, match=f"already has {OPTIONS_NAME}, {WEIGHTS_NAME}") as caught:
        safeload.save_elmo(module, elmo)
    assert (caught.value.argument, caught.value.resolved) == ("overwrite", str(elmo))
    assert contents(elmo) == before

    safeload.save_elmo(module, elmo, overwrite=True)
    assert contents(elmo).keys() == before.keys()
    assert largest_difference(module, load(elmo)) < 1e-6


def test_a_lock_of_the_old_files_is_never_left(elmo):
    module = load(elmo)
    safeload.save_elmo(module, elmo, overwrite=True, lock=True)
    before = contents(elmo)
    with pytest.raises(ArgumentError, match="would not match") as caught:
        safeload.save_elmo(module, elmo, overwrite=True)
    assert caught.value.argument == "lock"
    assert contents(elmo) == before

    safeload.save_elmo(tuned(elmo, "torch"), elmo, overwrite=True, lock=True)
    safeload.check_elmo(elmo)
    assert contents(elmo)[LOCK_NAME] != before[LOCK_NAME]


@pytest.mark.parametrize(
    "module", [None, "x", 3, object(), torch.nn.Linear(1, 1), {}, np.zeros(3)], ids=lambda given: type(given).__name__
)
def test_what_is_no_elmo_is_an_argument_error(module, tmp_path):
    with pytest.raises(ArgumentError, match="module must be the torch module or the Keras layer of an ELMo") as caught:
        safeload.save_elmo(module, tmp_path / "saved")

    assert caught.value.argument == "module"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_training_that_diverged_is_told_with_all_names(value, elmo, tmp_path):
    module = load(elmo)
    with torch.no_grad():
        module._elmo_lstm._token_embedder._projection.bias[3] = value
        module._elmo_lstm._elmo_lstm.backward_layer_1.state_projection.weight[0, 0] = value
    with pytest.raises(ArgumentError, match="NaN or infinite values in 2 of its datasets") as caught:
        safeload.save_elmo(module, tmp_path / "deep" / "saved")

    assert caught.value.details == ("CNN_proj/b_proj", "RNN_1/RNN/MultiRNNCell/Cell1/LSTMCell/W_P_0")
    assert os.listdir(tmp_path) == ["elmo"]


def test_a_module_without_values_is_told(elmo, tmp_path):
    with pytest.raises(ArgumentError, match=f"has no values for {CHAR_EMBED}") as caught:
        safeload.save_elmo(load(elmo).to("meta"), tmp_path / "saved")

    assert caught.value.argument == "module"
    assert os.listdir(tmp_path) == ["elmo"]


def test_a_module_of_other_sizes_is_told(elmo, tmp_path):
    module = load(elmo)
    module._elmo_lstm._token_embedder._char_embedding_weights = torch.nn.Parameter(torch.zeros(300, 5))
    with pytest.raises(ConfigError, match="n_characters"):
        safeload.save_elmo(module, tmp_path / "saved")
    module = load(elmo)
    module._elmo_lstm._token_embedder._projection = torch.nn.Linear(18, 9)
    with pytest.raises(ArgumentError, match="CNN_proj/W_proj have the shape"):
        safeload.save_elmo(module, tmp_path / "saved")


@pytest.mark.parametrize("name", ["overwrite", "lock"])
def test_a_flag_is_a_bool(name, elmo, tmp_path):
    with pytest.raises(ArgumentError, match=f"{name} must be a bool") as caught:
        safeload.save_elmo(load(elmo), tmp_path / "saved", **{name: "yes"})
    assert caught.value.argument == name


def test_a_folder_that_cannot_be_is_told(elmo, tmp_path):
    module = load(elmo)
    (tmp_path / "file").touch()
    with pytest.raises(InvalidPathError, match="folder is None"):
        safeload.save_elmo(module, None)
    for name in ("file", "file/inside"):
        with pytest.raises(WrongFileKindError, match="there is a file at its path") as caught:
            safeload.save_elmo(module, tmp_path / name)
        assert caught.value.resolved == str(tmp_path / name)
    (elmo / WEIGHTS_NAME).unlink()
    (elmo / WEIGHTS_NAME).mkdir()
    with pytest.raises(WrongFileKindError, match="Is a directory"):
        safeload.save_elmo(module, elmo, overwrite=True)
    assert sorted(os.listdir(elmo)) == NAMES


@pytest.fixture
def small_disk(tmp_path):
    """Return a folder on a disk of 48 kB, smaller than the tiny model; only root may make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_told_and_leaves_nothing(elmo, small_disk):
    with pytest.raises(FileSystemError, match="No space left on device") as caught:
        safeload.save_elmo(load(elmo), small_disk / "saved")

    assert caught.value.errno == errno.ENOSPC
    assert caught.value.hints == ("free some space on the disk, or in the user's quota",)
    assert os.listdir(small_disk) == []


def test_a_limit_of_the_process_is_told_and_leaves_the_old_files(elmo):
    module, before = tuned(elmo, "torch"), contents(elmo)
    with pytest.raises(FileSystemError, match="File too large") as caught, file_size_limit(20_000):
        safeload.save_elmo(module, elmo, overwrite=True)

    assert caught.value.errno == errno.EFBIG
    assert contents(elmo) == before


@pytest.mark.parametrize("raised", [KeyboardInterrupt, MemoryError])
def test_what_stops_the_saving_leaves_nothing(raised, elmo, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise raised

    monkeypatch.setattr(_saving, "_prove", stop)
    with pytest.raises(FileSystemError if raised is MemoryError else raised):
        safeload.save_elmo(load(elmo), tmp_path / "deep" / "saved")

    assert os.listdir(tmp_path) == ["elmo"]


@pytest.mark.parametrize("name", ["CNN_high_1/W_carry", "RNN_1/RNN/MultiRNNCell/Cell0/LSTMCell/W_0"])
def test_a_file_that_holds_other_values_is_never_put_into_place(name, elmo, tmp_path, monkeypatch):
    write = _saving._write

    def spoiled(held, folder):
        write(held, folder)
        with h5py.File(folder / WEIGHTS_NAME, "a") as file:
            file[name][1, 2] += 1

    monkeypatch.setattr(_saving, "_write", spoiled)
    with pytest.raises(BackendError, match="the files do not hold the values of"):
        safeload.save_elmo(load(elmo), tmp_path / "saved")
    assert os.listdir(tmp_path) == ["elmo"]
