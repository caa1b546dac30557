"""AllenNLP's embedder of a config, replaced: the same outputs and files, and a load that stops a training."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch

import safeload
from safeload.compat import allennlp as drop_in
from safeload.errors import ArgumentError, ConfigError, VariableMismatchError
from tests.elmos import OPTIONS_NAME, WEIGHTS_NAME, options

token_embedders = pytest.importorskip(
    "allennlp.modules.token_embedders", reason="AllenNLP installs on Python 3.10 only"
)

OWN_NAME = "safeload_elmo_token_embedder"


@pytest.fixture
def embedder():
    from safeload.compat.allennlp import ElmoTokenEmbedder

    return ElmoTokenEmbedder


def files(folder):
    return {"options_file": str(folder / OPTIONS_NAME), "weight_file": str(folder / WEIGHTS_NAME)}


def from_config(**params):
    from allennlp.common import Params

    return token_embedders.TokenEmbedder.from_params(Params(params))


def with_a_layer_less(folder):
    """Change the options to those of a model with a layer less, of which AllenNLP loads a part."""
    lstm = options()["lstm"]
    text = json.dumps(options(lstm={"n_layers": lstm["n_layers"] - 1}))
    (folder / OPTIONS_NAME).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("given", [{}, {"projection_dim": 5}, {"scalar_mix_parameters": [0, 1.5, -2]}], ids=str)
def test_it_gives_what_allennlps_gives(embedder, tiny_elmo, given):
    torch.manual_seed(0)
    theirs = token_embedders.ElmoTokenEmbedder(**files(tiny_elmo), **given).eval()
    torch.manual_seed(0)
    ours = from_config(type=OWN_NAME, **files(tiny_elmo), **given).eval()
    ids = safeload.character_ids([["A", "good", "film"], ["Bad"]])

    assert type(ours) is embedder
    assert isinstance(ours, token_embedders.ElmoTokenEmbedder)
    assert ours.get_output_dim() == theirs.get_output_dim() == given.get("projection_dim", 16)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    with torch.no_grad():
        assert torch.equal(ours(ids), theirs(ids))
        assert ours(ids.unsqueeze(0)).shape == (1, 2, 3, ours.get_output_dim())
    assert safeload.report_of(ours._elmo).backend == "allennlp"


def test_words_to_cache_and_a_trained_bilm_come_from_a_config(tiny_elmo):
    words = ["<pad>", "A", "film"]
    ours = from_config(type=OWN_NAME, **files(tiny_elmo), vocab_to_cache=words, requires_grad=True, dropout=0.0)

    assert ours(torch.zeros(1, 2, 50, dtype=torch.long), torch.tensor([[1, 2]])).requires_grad
    assert ours._elmo._elmo_lstm._word_embedding.num_embeddings == 3


def test_the_options_alone_find_the_weights_beside_them(embedder, tiny_elmo):
    assert embedder(str(tiny_elmo)).get_output_dim() == 16


def test_without_files_it_is_the_original_elmo(embedder, monkeypatch):
    asked = []
    monkeypatch.setattr("safeload.compat.allennlp._cache.cached", lambda given, _: given)
    monkeypatch.setattr("safeload.elmo.load_elmo", lambda *given, **_: asked.append(given) or torch.nn.Identity())
    for given in ({}, {"weight_file": "mine.hdf5"}):
        with pytest.raises(AttributeError):
            embedder(**given)

    base = (
        "https://allennlp.s3.amazonaws.com/models/elmo/2x4096_512_2048cnn_2xhighway/elmo_2x4096_512_2048cnn_2xhighway"
    )
    assert asked == [(f"{base}_options.json", f"{base}_weights.hdf5", 1), (f"{base}_options.json", "mine.hdf5", 1)]


def test_options_of_another_model_stop_it(elmo):
    token_embedders.ElmoTokenEmbedder(**files(with_a_layer_less(elmo)))
    with pytest.raises(VariableMismatchError):
        from_config(type=OWN_NAME, **files(elmo))
    (elmo / OPTIONS_NAME).write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError):
        from_config(type=OWN_NAME, **files(elmo))


def test_inputs_are_checked(embedder, tiny_elmo):
    with pytest.raises(ArgumentError, match="integer dtype"):
        embedder(**files(tiny_elmo))(torch.zeros(1, 2, 50))


def test_another_name_is_not_found():
    with pytest.raises(AttributeError, match=r"module 'safeload\.compat\.allennlp' has no attribute 'ElmoParser'"):
        _ = drop_in.ElmoParser


def test_without_allennlp_it_is_a_missing_dependency():
    code = """if True:
        import sys
        sys.modules["allennlp"] = None
        from safeload.compat.allennlp import Elmo
        try:
            from safeload.compat.allennlp import ElmoTokenEmbedder
        except ImportError as error:
            print(type(error).__name__)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "MissingDependencyError\n"


CONFIG = {
    "dataset_reader": {"type": "sequence_tagging", "token_indexers": {"elmo": {"type": "elmo_characters"}}},
    "train_data_path": "data.txt",
    "model": {
        "type": "simple_tagger",
        "text_field_embedder": {"token_embedders": {"elmo": {"type": "elmo_token_embedder"}}},
        "encoder": {"type": "gru", "input_size": 16, "hidden_size": 4},
    },
    "data_loader": {"batch_size": 2},
    "trainer": {"optimizer": "adam", "num_epochs": 1, "cuda_device": -1},
}


@pytest.fixture
def train(tmp_path, run_script):
    return partial(_train, run_script, tmp_path)


def _train(run_script, folder, elmo, *more):
    """Run `allennlp train` in `folder`; return its exit code and what it printed."""
    (folder / "data.txt").write_text("A###X good###Y film###X\nBad###Y\n", encoding="utf-8")
    config = json.loads(json.dumps(CONFIG))
    config["model"]["text_field_embedder"]["token_embedders"]["elmo"] |= files(elmo)
    (folder / "config.jsonnet").write_text(json.dumps(config), encoding="utf-8")
    done = run_script("-m", "allennlp", "train", "config.jsonnet", "-s", "out", *more, cwd=folder)
    return done.returncode, done.stdout + done.stderr


def test_one_line_puts_it_in_the_place_of_allennlps(tmp_path, elmo, train):
    in_place = ("--include-package", "safeload.compat.allennlp_in_place")
    code, printed = train(elmo, *in_place)
    assert code == 0, printed[-3000:]
    assert (tmp_path / "out/model.tar.gz").exists()

    code, printed = train(with_a_layer_less(elmo), "--force", *in_place)
    assert code != 0
    assert "safeload.errors.VariableMismatchError: the ELMo weight file does not fit its options" in printed
    assert not (tmp_path / "out/model.tar.gz").exists()


@pytest.mark.parametrize("package", ["safeload.compat.allennlp", "safeload.compat.allennlp.embedder"])
def test_its_own_name_is_there_without_taking_allennlps_place(package, run_script, tmp_path):
    code = f"""if True:
        from allennlp.common.util import import_module_and_submodules
        from allennlp.modules.token_embedders import ElmoTokenEmbedder, TokenEmbedder
        import_module_and_submodules({package!r})
        assert TokenEmbedder.by_name("elmo_token_embedder") is ElmoTokenEmbedder
        print(TokenEmbedder.by_name({OWN_NAME!r}).__module__)
    """
    (tmp_path / "import_it.py").write_text(code, encoding="utf-8")
    done = run_script(tmp_path / "import_it.py")

    assert done.returncode == 0, done.stderr
    assert done.stdout == "safeload.compat.allennlp.embedder\n"


@pytest.mark.parametrize("size", ["4", -1, 1.5, True])
def test_a_size_to_project_to_that_is_none_is_told(embedder, tiny_elmo, size):
    with pytest.raises(ArgumentError, match="projection_dim must be a positive int or None"):
        embedder(**files(tiny_elmo), projection_dim=size)


def test_a_size_of_numpy_is_a_size(embedder, tiny_elmo):
    assert embedder(**files(tiny_elmo), projection_dim=np.int64(4)).get_output_dim() == 4
