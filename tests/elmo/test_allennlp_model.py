"""Models that AllenNLP trained and archived, and state dicts that torch saved of its modules."""

from __future__ import annotations

import json
import os
import tarfile
import tempfile
import warnings

import numpy as np
import pytest

import safeload
from safeload import testing
from safeload.elmo._characters import ids_of
from safeload.elmo._module import as_datasets
from safeload.elmo._options import PUBLISHED, validate_options
from safeload.errors import (
    AmbiguousCheckpointError,
    ArgumentError,
    ConfigError,
    CorruptFileError,
    LockError,
    VariableMismatchError,
    WrongFileKindError,
)
from tests.command_line import safeload_cli
from tests.elmos import options
from tests.fleet.finding import found_in
from tests.opened import ref

torch = pytest.importorskip("torch")
allennlp = pytest.importorskip("allennlp.modules.elmo")

SENTENCES = [["A", "good", "film", "."], ["Bad", "plot", "!"]]
EMBEDDER = "_text_field_embedder.token_embedder_elmo."
BACKENDS = ("allennlp", "torch")


def config_of(elmo):
    embedder = {
        "type": "elmo_token_embedder",
        "options_file": str(elmo / "options.json"),
        "weight_file": str(elmo / "weights.hdf5"),
        "requires_grad": True,
        "dropout": 0.0,
    }
    return {
        "dataset_reader": {
            "type": "text_classification_json",
            "tokenizer": "just_spaces",
            "token_indexers": {"elmo": {"type": "elmo_characters"}},
        },
        "model": {
            "type": "basic_classifier",
            "text_field_embedder": {"token_embedders": {"elmo": embedder}},
            "seq2vec_encoder": {"type": "boe", "embedding_dim": 16},
            "num_labels": 2,
        },
    }


def trained(elmo, n_steps=3):
    """Return AllenNLP's own ELMo in a classifier, fine-tuned, and its config."""
    from allennlp.common import Params
    from allennlp.data import Vocabulary
    from allennlp.models import Model

    torch.manual_seed(0)
    model = Model.from_params(Params(config_of(elmo)["model"]), vocab=Vocabulary())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    ids = safeload.character_ids(SENTENCES)
    for _ in range(n_steps):
        embedded = model._text_field_embedder({"elmo": {"elmo_tokens": ids}})
        loss = model._classification_layer(embedded.sum(1)).logsumexp(-1).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


def archived(model, folder, config, include=()):
    """Return the archive that AllenNLP writes of a training's folder."""
    from allennlp.models.archival import archive_model

    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=4))
    model.vocab.save_to_files(str(folder / "vocabulary"))
    torch.save(model.state_dict(), folder / "best.th")
    archive_model(str(folder), include_in_archive=list(include) or None)
    return folder / "model.tar.gz"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the folder of a training with its archive, and the trained ELMo."""
    root = tmp_path_factory.mktemp("allennlp")
    elmo = testing.write_elmo(root / "elmo")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = trained(elmo)
        archived(model, root / "run", config_of(elmo))
    return root / "run", model._text_field_embedder.token_embedder_elmo._elmo.eval()


PLACES = ("model.tar.gz", "", "best.th", "model.tar.gz/weights.th")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_value_is_the_trained_one_bit_by_bit(run, backend, place):
    folder, theirs = run
    ours = safeload.load_elmo(folder / place, backend=backend, scalar_mix_parameters="stored")

    found, wanted = ours.state_dict(), theirs.state_dict()
    assert list(found) == list(wanted)
    for name, values in found.items():
        assert torch.equal(values, wanted[name]), name


def outputs_of(module):
    module._elmo_lstm._elmo_lstm.reset_states()
    with torch.no_grad():
        return module.eval()(safeload.character_ids(SENTENCES))["elmo_representations"][0].numpy()


@pytest.mark.parametrize(("backend", "bound"), [("allennlp", 0), ("torch", 1e-6)])
def test_the_outputs_are_those_of_the_trained_elmo(run, backend, bound):
    folder, theirs = run
    ours = safeload.load_elmo(folder / "model.tar.gz", backend=backend, dropout=0.0, scalar_mix_parameters="stored")

    np.testing.assert_allclose(outputs_of(ours), outputs_of(theirs), rtol=0, atol=bound)


def test_the_outputs_are_those_of_allennlp_s_own_load(run):
    from allennlp.models.archival import load_archive

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = load_archive(str(run[0] / "model.tar.gz")).model
    theirs = model._text_field_embedder.token_embedder_elmo._elmo
    ours = safeload.load_elmo(run[0] / "model.tar.gz", backend="allennlp", dropout=0.0, scalar_mix_parameters="stored")

    np.testing.assert_array_equal(outputs_of(ours), outputs_of(theirs))


def test_the_keras_layer_computes_the_same(run):
    pytest.importorskip("tensorflow")
    folder, theirs = run
    layer = safeload.load_elmo(folder / "model.tar.gz", backend="keras", scalar_mix_parameters="stored")

    np.testing.assert_allclose(np.asarray(layer(ids_of(SENTENCES).astype(np.int32))), outputs_of(theirs), atol=1e-6)
    bilm = {name: value.numpy() for name, value in theirs._elmo_lstm.state_dict().items()}
    datasets = as_datasets(bilm, validate_options(options(), ref("/o", "options")))
    assert layer.datasets.keys() == datasets.keys()
    for name, variable in layer.datasets.items():
        np.testing.assert_array_equal(np.asarray(variable), datasets[name], err_msg=name)
    gates = [values[12:24] for name, values in bilm.items() if name.endswith("state_linearity.bias")]
    n_inexact = sum(int(((gate - 1) + 1 != gate).sum()) for gate in gates)
    start = f"{n_inexact} of 48 biases of the forget gates differ in their last bit"
    notes = [note for note in safeload.report_of(layer).notes if note.startswith(start)]
    assert len(notes) == (n_inexact > 0)


def test_the_layer_for_text_has_the_learned_sum(run):
    pytest.importorskip("tensorflow")
    from safeload.keras import ElmoText

    layer = ElmoText(run[0] / "model.tar.gz", output="elmo")
    found = np.asarray(layer(np.array([" ".join(words) for words in SENTENCES], object)))
    wanted = outputs_of(run[1])
    np.testing.assert_allclose(found[0], wanted[0], rtol=0, atol=1e-6)
    np.testing.assert_allclose(found[1, :3], wanted[1, :3], rtol=0, atol=1e-6)


def test_the_report_says_what_was_read(run):
    folder = run[0]
    report = safeload.check_elmo(folder / "model.tar.gz")

    assert (report.form, report.naming, report.scope) == ("torch", "allennlp", f"{EMBEDDER}_elmo._elmo_lstm.")
    assert [(file.role, os.path.relpath(file.path, folder)) for file in report.files] == [
        ("weight", "model.tar.gz/weights.th"),
        ("archive", "model.tar.gz"),
    ]
    (note,) = report.notes
    assert note.startswith("config.json names the options ")
    assert note.endswith(", which are not here: those of the original ELMo are taken; pass options_file for others")
    assert (len(report.read), report.warnings) == (29, ())
    assert {what: len(names) for what, names in report.unused.items()} == {"weighted sum": 4, "task heads": 2}
    assert report.checksums == "CRC-32 of 29 storages; CRC-32 of all that the archive unpacks to"
    assert report.taken_from_config["options"] == PUBLISHED


def test_nothing_is_unpacked(run, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = sorted(run[0].rglob("*"))
    safeload.load_elmo(run[0] / "model.tar.gz", backend="torch")

    assert (list(tmp_path.iterdir()), sorted(run[0].rglob("*"))) == ([], before)


def test_a_flipped_byte_of_an_archive_is_found(run, tmp_path):
    data = bytearray((run[0] / "model.tar.gz").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "model.tar.gz").write_bytes(data)
    with pytest.raises(CorruptFileError):
        safeload.check_elmo(tmp_path / "model.tar.gz")


# options


@pytest.mark.parametrize("named", ["elmo_options.json", "elmo/elmo_options.json", "/home/a/elmo_options.json", "https://x.org/elmo_options.json"])  # fmt: skip
def test_options_that_were_archived_are_read(run, named, tmp_path):
    theirs = run[1]
    (tmp_path / "elmo").mkdir()
    place = "elmo/elmo_options.json" if named.startswith("elmo/") else "elmo_options.json"
    (tmp_path / place).write_text(json.dumps(options(lstm={"cell_clip": 2})))
    config = config_of(tmp_path)
    config["model"]["text_field_embedder"]["token_embedders"]["elmo"]["options_file"] = named
    archive = archived(_Saved(theirs), tmp_path, config, [place])
    report = safeload.check_elmo(archive)

    assert [file.role for file in report.files] == ["options", "weight", "archive"]
    assert report.taken_from_config["cell_clip"] == 2
    assert "options" not in report.taken_from_config


class _Saved:
    """A trained ELMo as a part of a model."""

    def __init__(self, elmo, *names):
        from allennlp.data import Vocabulary

        self.vocab, self.elmo, self.names = Vocabulary(), elmo, names or ("elmo",)

    def state_dict(self):
        state = self.elmo.state_dict()
        return {f"text_field_embedder.token_embedder_{name}._elmo.{key}": each for name in self.names for key, each in state.items()}  # fmt: skip


def test_options_of_an_older_archive_are_read(run, tmp_path):
    (tmp_path / "fta").mkdir()
    key = "model.text_field_embedder.elmo.options_file"
    (tmp_path / "fta" / key).write_text(json.dumps(options(lstm={"proj_clip": 5})))
    (tmp_path / "files_to_archive.json").write_text(json.dumps({key: "/home/a/options.json"}))
    archive = archived(_Saved(run[1]), tmp_path, config_of(tmp_path), ["fta", "files_to_archive.json"])

    assert safeload.check_elmo(archive).taken_from_config["proj_clip"] == 5
    (tmp_path / "fta" / f"b.{key}").write_text(json.dumps(options(lstm={"proj_clip": 5})))
    assert safeload.check_elmo(tmp_path).taken_from_config["proj_clip"] == 5
    (tmp_path / "fta" / f"b.{key}").write_text(json.dumps(options()))
    with pytest.raises(ConfigError, match="the model has the options of 2 ELMos"):
        safeload.check_elmo(tmp_path)
    assert safeload.check_elmo(tmp_path / "fta" / key, tmp_path).taken_from_config["proj_clip"] == 5


def test_options_outside_the_folder_are_not_read(run, tmp_path):
    (tmp_path / "options.json").write_text(json.dumps(options(lstm={"cell_clip": 2})))
    config = config_of(tmp_path)
    for named in (str(tmp_path / "options.json"), "../options.json", ""):
        config["model"]["text_field_embedder"]["token_embedders"]["elmo"]["options_file"] = named
        archived(_Saved(run[1]), tmp_path / "run", config)
        assert safeload.check_elmo(tmp_path / "run").taken_from_config["cell_clip"] == 3


def test_options_that_are_passed_are_those_that_count(run, tmp_path):
    (tmp_path / "o.json").write_text(json.dumps(options(char_cnn={"activation": "tanh"})))
    for weights in (run[0] / "model.tar.gz", run[0], run[0] / "best.th"):
        assert safeload.check_elmo(tmp_path / "o.json", weights).taken_from_config["activation"] == "tanh"
    (tmp_path / "o.json").write_text(json.dumps(options(lstm={"dim": 13})))
    with pytest.raises(VariableMismatchError) as caught:
        safeload.check_elmo(tmp_path / "o.json", run[0])
    assert caught.value.hints[0].startswith("lstm.dim is 13 in the options but 12 in the weight file")


# which ELMo


def test_one_of_several_elmos_is_chosen_by_its_scope(run, tmp_path):
    archive = archived(_Saved(run[1], "elmo", "elmo_b"), tmp_path, config_of(tmp_path))
    with pytest.raises(AmbiguousCheckpointError) as caught:
        safeload.check_elmo(archive)
    known = "text_field_embedder.token_embedder_elmo", "text_field_embedder.token_embedder_elmo_b"
    assert tuple(caught.value.candidates) == known
    for name in known:
        for end in ("", ".", "._elmo", "._elmo.", "._elmo._elmo_lstm", "._elmo._elmo_lstm."):
            report = safeload.check_elmo(archive, scope=name + end)
            assert report.scope == f"{name}._elmo._elmo_lstm."
            assert len(report.unused["other biLMs"]) == 29
    with pytest.raises(ArgumentError, match="no biLM under the scope 'text_field_embedder'"):
        safeload.check_elmo(archive, scope="text_field_embedder")


STATES = {
    "of an Elmo": (lambda state: state, "_elmo_lstm."),
    "of a biLM": (lambda state: {k.removeprefix("_elmo_lstm."): v for k, v in state.items() if k.startswith("_elmo_lstm.")}, ""),
    "of a module around it": (lambda state: {f"elmo.{k}": v for k, v in state.items()}, "elmo._elmo_lstm."),
    "of several processes": (lambda state: {f"module.elmo.{k}": v for k, v in state.items()}, "module.elmo._elmo_lstm."),
    "among other things": (lambda state: {"model": state, "epoch": 3}, "model._elmo_lstm."),
}  # fmt: skip


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("what", STATES)
def test_a_state_dict_is_enough(run, what, is_zip, tmp_path):
    change, scope = STATES[what]
    torch.save(change(run[1].state_dict()), tmp_path / "elmo.pt", _use_new_zipfile_serialization=is_zip)
    ours = safeload.load_elmo(tmp_path / "elmo.pt", backend="torch")

    assert safeload.report_of(ours).scope == scope
    wanted = run[1]._elmo_lstm.state_dict()
    assert all(torch.equal(values, wanted[name]) for name, values in ours._elmo_lstm.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_are_widened(run, dtype, tmp_path):
    torch.save({name: values.to(dtype) for name, values in run[1].state_dict().items()}, tmp_path / "elmo.pt")
    ours = safeload.load_elmo(tmp_path / "elmo.pt", backend="torch")

    wanted = run[1]._elmo_lstm.state_dict()
    for name, values in ours._elmo_lstm.state_dict().items():
        assert torch.equal(values, wanted[name].to(dtype).float())


def test_a_transposed_storage_is_read_as_torch_reads_it(run, tmp_path):
    state = {name: values.t().contiguous().t() if values.dim() == 2 else values for name, values in run[1].state_dict().items()}  # fmt: skip
    torch.save(state, tmp_path / "elmo.pt")
    ours = safeload.load_elmo(tmp_path / "elmo.pt", backend="torch")

    assert all(torch.equal(each, state[f"_elmo_lstm.{name}"]) for name, each in ours._elmo_lstm.state_dict().items())


# what is beside the biLM


def test_several_sums_are_not_one(tmp_path):
    elmo = testing.write_elmo(tmp_path / "elmo")
    files = str(elmo / "options.json"), str(elmo / "weights.hdf5")
    torch.save(allennlp.Elmo(*files, 2).state_dict(), tmp_path / "two.pt")
    with pytest.raises(ArgumentError, match="the weights have several learned sums of the layers"):
        safeload.load_elmo(tmp_path / "two.pt", backend="torch", scalar_mix_parameters="stored")
    assert len(safeload.check_elmo(tmp_path / "two.pt").unused["weighted sum"]) == 8

    torch.save(allennlp.Elmo(*files, 1)._elmo_lstm.state_dict(), tmp_path / "none.pt")
    with pytest.raises(ArgumentError, match="the weights have no learned sum of the layers"):
        safeload.load_elmo(tmp_path / "none.pt", backend="torch", scalar_mix_parameters="stored")


def test_cached_words_are_known_and_not_read(tmp_path):
    elmo = testing.write_elmo(tmp_path / "elmo")
    words = ["<pad>", "film", "plot"]
    theirs = allennlp.Elmo(str(elmo / "options.json"), str(elmo / "weights.hdf5"), 1, dropout=0.0, vocab_to_cache=words)
    torch.save(theirs.state_dict(), tmp_path / "elmo.pt")
    ours = safeload.load_elmo(tmp_path / "elmo.pt", backend="torch", dropout=0.0, vocab_to_cache=words)

    assert safeload.report_of(ours).unused["cached words"] == ("_elmo_lstm._word_embedding.weight",)
    found, wanted = (each._elmo_lstm._word_embedding.weight for each in (ours, theirs))
    np.testing.assert_allclose(found[1:], wanted.detach()[1:], atol=1e-6)


def test_numbers_of_layers_are_compared_with_the_sizes_of_the_weights(tmp_path):
    folder = testing.write_elmo(tmp_path / "m", form="torch/model", layers=3)
    safeload.load_elmo(folder, backend="torch", scalar_mix_parameters=[0, 0, 0, 1])
    with pytest.raises(ArgumentError, match="4 numbers"):
        safeload.load_elmo(folder, backend="torch", scalar_mix_parameters=[0, 0, 1])


# commands


def test_an_archive_is_locked_and_diffed(run, tmp_path):
    for name in ("a.tar.gz", "b.tar.gz"):
        (tmp_path / name).write_bytes((run[0] / "model.tar.gz").read_bytes())
    safeload_cli("lock", tmp_path / "a.tar.gz")
    assert {file.role for file in safeload.check_elmo(tmp_path / "a.tar.gz").files} == {"weight", "archive", "lock"}
    with pytest.raises(LockError):
        safeload.check_elmo(tmp_path / "b.tar.gz")
    assert (
        "the same weights: 35 tensors equal"
        in safeload_cli("diff", tmp_path / "a.tar.gz", tmp_path / "b.tar.gz").stdout
    )
    assert "forward_layer_1" in safeload_cli("inspect", tmp_path / "a.tar.gz").stdout


def test_a_load_of_a_bert_says_that_it_is_an_elmo(run):
    with pytest.raises(WrongFileKindError) as caught:
        safeload.check_bert(testing.write_bert(run[0].parent / "bert"), run[0] / "best.th")
    assert caught.value.found == "an ELMo"


def test_trees_have_models_of_allennlp(run, tmp_path):
    for name in ("a", "b", "c", "d", "other"):
        (tmp_path / name).mkdir()
    data = (run[0] / "model.tar.gz").read_bytes()
    (tmp_path / "a" / "model.tar.gz").write_bytes(data)
    for name in ("config.json", "best.th"):
        (tmp_path / "b" / name).write_bytes((run[0] / name).read_bytes())
        (tmp_path / "c" / name).write_bytes((run[0] / name).read_bytes()[:-9])
    (tmp_path / "d" / "model.tar.gz").write_bytes(data[:-9])
    bert = testing.write_bert(tmp_path / ".bert", form="torch")
    with tarfile.open(tmp_path / "other" / "model.tar.gz", "w:gz") as archive:
        archive.add(bert / "pytorch_model.bin", "weights.th")
        archive.add(bert / "config.json", "config.json")
    (tmp_path / "other" / "weights.th").write_bytes((bert / "pytorch_model.bin").read_bytes())

    places = ("a/model.tar.gz", "b", "c", "d/model.tar.gz")
    assert found_in("elmo", [str(tmp_path)]).models == [str(tmp_path / place) for place in places]
    assert "2 good, 2 bad" in safeload_cli("check", "elmo", tmp_path, code=1).stdout
