"""An ELMo into AllenNLP, torch and Keras, its checks and what it computes."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models import ELMO

from sides.process import process

if TYPE_CHECKING:
    from sides.process import Call

SENTENCES = [[f"word{row * 31 + position}" for position in range(30)] for row in range(32)]
BATCH = [[f"word{row * 31 + position}" for position in range(20 + row % 21)] for row in range(63)]
"""Sentences of 20 to 40 words, each length three times."""


def check_elmo(folder: Path) -> Call:
    """safeload's check, every dataset."""
    import safeload
    import safeload._forms.hdf5.file
    import safeload.elmo._model

    return lambda: safeload.check_elmo(folder)


def process_check_elmo(folder: Path) -> Call:
    """A whole process that checks."""
    return process(f"import safeload; safeload.check_elmo({str(folder)!r})")


def process_load_elmo(folder: Path) -> Call:
    """A whole process that loads an ELMo without AllenNLP."""
    return process(f"import safeload; safeload.load_elmo({str(folder)!r}, backend='torch')")


def process_allennlp(folder: Path) -> Call:
    """A whole process that loads an ELMo with AllenNLP's own Elmo."""
    files = f"{str(folder / 'options.json')!r}, {str(folder / 'weights.hdf5')!r}"
    return process(f"from allennlp.modules.elmo import Elmo; Elmo({files}, 1)")


def process_import_torch(folder: Path) -> Call:  # noqa: ARG001
    """A whole process that imports torch and does nothing."""
    return process("import torch")


def load_elmo_torch(folder: Path) -> Call:
    """safeload, its own torch module."""
    return _load_elmo("torch", folder)


def load_elmo_keras(folder: Path) -> Call:
    """safeload, its Keras layer."""
    return _load_elmo("keras", folder)


def load_elmo_allennlp(folder: Path) -> Call:
    """safeload, AllenNLP's module."""
    return _load_elmo("allennlp", folder)


def load_elmo_text(folder: Path) -> Call:
    """safeload, its Keras layer that has the outputs of TF-Hub's module."""
    import tensorflow as tf

    from safeload.keras import ElmoText

    tf.zeros(1)
    return lambda: ElmoText(folder)


def saved_model(folder: Path) -> Call:
    """TensorFlow's own loader of a module, and the first call, which reads the variables."""
    import tensorflow as tf

    tf.zeros(1)
    return lambda: tf.saved_model.load(str(folder)).signatures["serving_default"](tf.constant(["a"]))


def write_module(folder: Path) -> Call:
    """Write a module as TensorFlow 1 does: not measured, but needed by the side above."""
    os.environ.setdefault("TF_USE_LEGACY_KERAS", str(int(importlib.util.find_spec("tf_keras") is not None)))
    sys.path.insert(0, str(Path(__file__).parents[2]))
    import tensorflow as tf

    from tests.elmo.module_graph import save_module

    sizes = {"n_layers": ELMO["layers"], "dim": ELMO["dim"], "projection_dim": ELMO["projection"]}
    characters = {"filters": ELMO["filters"], "n_highway": ELMO["highways"], "embedding": {"dim": ELMO["char_dim"]}}
    options = {
        "lstm": {**sizes, "cell_clip": 3, "proj_clip": 3, "use_skip_connections": True},
        "char_cnn": {**characters, "activation": "relu", "max_characters_per_token": 50, "n_characters": 262},
    }

    def write() -> None:
        save_module(tf, folder, options)
        (folder / "options.json").write_text(json.dumps(options), encoding="utf-8")

    return write


def allennlp(folder: Path) -> Call:
    """AllenNLP's own Elmo."""
    from allennlp.modules.elmo import Elmo

    return lambda: Elmo(str(folder / "options.json"), str(folder / "weights.hdf5"), 1)


def forward_torch(folder: Path) -> Call:
    """32 sentences of 30 words through safeload's torch module."""
    return _torch_forward(load_elmo_torch(folder)())


def forward_allennlp(folder: Path) -> Call:
    """32 sentences of 30 words through AllenNLP's module."""
    return _torch_forward(allennlp(folder)())


def embed_elmo(folder: Path) -> Call:
    """63 sentences of 20 to 40 words through safeload's ElmoEmbedder."""
    embedder = _embedder(folder)
    return lambda: embedder.embed_batch(BATCH)


def embed_elmo_sorted(folder: Path) -> Call:
    """The same sentences in three batches, each of sentences of about one length."""
    embedder, ordered = _embedder(folder), sorted(BATCH, key=len)
    return lambda: [embedder.embed_batch(ordered[start : start + 21]) for start in range(0, len(ordered), 21)]


def embed_allennlp(folder: Path) -> Call:
    """63 sentences of 20 to 40 words through AllenNLP's biLM, as the ElmoEmbedder of AllenNLP 0.9 ran it."""
    from allennlp.modules.elmo import _ElmoBiLm, batch_to_ids
    from allennlp.nn.util import remove_sentence_boundaries

    bilm = _ElmoBiLm(str(folder / "options.json"), str(folder / "weights.hdf5"))
    bilm(batch_to_ids([["word"]]))

    def embed() -> object:
        output = bilm(batch_to_ids(BATCH))
        return [remove_sentence_boundaries(layer, output["mask"]) for layer in output["activations"]]

    return embed


def save_elmo(folder: Path) -> Call:
    """Save safeload's torch module."""
    import safeload
    import safeload.elmo._saving
    import safeload.elmo.builders.torch_read

    module = load_elmo_torch(folder)()
    return lambda: safeload.save_elmo(module, folder / "saved", overwrite=True)


def forward_keras(folder: Path) -> Call:
    """32 sentences of 30 words through safeload's Keras layer, as `predict` runs it."""
    import tensorflow as tf

    from safeload.elmo._characters import ids_of

    layer, ids = tf.function(load_elmo_keras(folder)()), tf.constant(ids_of(SENTENCES), tf.int32)
    layer(ids)
    return lambda: layer(ids)


def _load_elmo(backend: str, folder: Path) -> Call:
    import safeload

    if backend == "keras":
        import tensorflow as tf

        import safeload.keras

        tf.zeros(1)
    else:
        import torch

        torch.zeros(1)
    if backend == "allennlp":
        import allennlp.modules.elmo  # noqa: F401  (not a part of what is timed)
    return lambda: safeload.load_elmo(folder, backend=backend)


def _embedder(folder: Path) -> Any:
    from safeload.compat.allennlp import ElmoEmbedder

    embedder = ElmoEmbedder(folder)
    embedder.embed_sentence(["word"])
    return embedder


def _torch_forward(module: Any) -> Call:
    import torch

    import safeload

    module.eval()
    ids = safeload.character_ids(SENTENCES)

    def forward() -> object:
        with torch.no_grad():
            return module(ids)

    forward()
    return forward
