"""What a load returns by its backend: upstream's own type where the library is installed, and its usual attributes elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import assert_type

import safeload
from safeload.models import (
    AllenNlpElmo,
    ElmoModule,
    KerasBert,
    KerasHubBert,
    TransformersBert,
    TransformersBertForPreTraining,
)

if TYPE_CHECKING:
    from safeload.keras import ElmoLayer


class Mine:
    """A class of the caller's."""


assert_type(safeload.load_bert("bert"), KerasBert)
assert_type(safeload.load_bert("bert", training=True, seq_len=None, dropout_rate=0.0), KerasBert)
assert_type(safeload.load_bert("bert", b"model.ckpt", Path("vocab.txt"), backend="keras-bert"), KerasBert)
assert_type(safeload.load_bert("bert", backend="transformers", dtype="bfloat16", scope="bert_1/"), TransformersBert)
assert_type(safeload.load_bert("bert", backend="transformers", training=True), TransformersBertForPreTraining)
assert_type(safeload.load_bert("bert", backend="transformers", model_class=Mine, device="cuda:0"), Mine)
assert_type(safeload.load_bert("bert", backend="keras-hub"), KerasHubBert)
assert_type(safeload.load_elmo("elmo", dropout=0.0, vocab_to_cache=["@@PADDING@@", "film"]), ElmoModule)
assert_type(safeload.load_elmo("elmo", "weights.hdf5", 2, backend="torch", stateful=False), ElmoModule)
assert_type(safeload.load_elmo("elmo", backend="allennlp"), AllenNlpElmo)
layer: ElmoLayer = safeload.load_elmo("elmo", backend="keras", scalar_mix_parameters="stored")


def known_later(backend: str, settings: dict[str, Any]) -> None:
    assert_type(safeload.load_bert("bert", backend=backend, trainable=True), Any)
    assert_type(safeload.load_elmo("elmo", backend=backend), Any)
    assert_type(safeload.load_bert(**settings), Any)


# what is written in models.pyi is known without the library
bert = safeload.load_bert("bert")
assert_type(bert.layers, list[Any])
assert_type(bert.get_config(), dict[str, Any])
bert.compile("adam", loss="mse")
encoder = safeload.load_bert("bert", backend="transformers")
assert_type(encoder.train().eval(), TransformersBert)
assert_type(encoder.to("cuda:0"), TransformersBert)
assert_type(encoder.state_dict(), dict[str, Any])
assert_type(encoder.parameters(), Iterator[Any])
encoder.save_pretrained("tuned")
assert_type(safeload.load_bert("bert", backend="keras-hub").hidden_dim, int)
elmo = safeload.load_elmo("elmo").eval()
assert_type(elmo, ElmoModule)
assert_type(elmo(safeload.character_ids([["A", "film"]])), dict[str, Any])
assert_type(elmo.get_output_dim(), int)
safeload.save_elmo(elmo, "saved")
assert_type(safeload.report_of(bert), safeload.LoadReport)
