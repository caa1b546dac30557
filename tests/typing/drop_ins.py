"""The drop-ins take what the calls that they replace take."""

from __future__ import annotations

from typing import Any

from typing_extensions import assert_type

from safeload.compat.allennlp import Elmo, batch_to_ids
from safeload.compat.keras_bert import (
    build_model_from_config,
    load_model_weights_from_checkpoint,
    load_trained_model_from_checkpoint,
    load_vocabulary,
)

elmo = Elmo("options.json", "weights.hdf5", 2, dropout=0.0)
ids = batch_to_ids([["A", "good", "film"]])

load_trained_model_from_checkpoint("bert_config.json", "bert_model.ckpt", True, seq_len=128)
model, config = build_model_from_config("bert_config.json", training=True)
assert_type(config, dict[str, Any])
load_model_weights_from_checkpoint(model, config, "bert_model.ckpt", training=True)
assert_type(load_vocabulary("vocab.txt"), dict[str, int])
