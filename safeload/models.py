"""Name the types of the models that the loads return, for annotations; `models.pyi` says what a type checker knows of them.

No model is an instance of these classes at run time: it is the library's own, whose attributes it has.
"""

from __future__ import annotations

__all__ = [
    "AllenNlpElmo",
    "ElmoModule",
    "KerasBert",
    "KerasHubBert",
    "TransformersBert",
    "TransformersBertForPreTraining",
]


class KerasBert:
    """The Keras model of `load_bert`: `keras.Model` of Keras 2 or tf-keras, with keras-bert's layers."""


class TransformersBert:
    """The `transformers.BertModel` of `load_bert(backend="transformers")`."""


class TransformersBertForPreTraining:
    """The `transformers.BertForPreTraining` of `load_bert(backend="transformers", training=True)`."""


class KerasHubBert:
    """The `keras_hub.models.BertBackbone` of `load_bert(backend="keras-hub")`."""


class ElmoModule:
    """The torch module of `load_elmo`, AllenNLP's or safeload's own; both have these attributes."""


class AllenNlpElmo(ElmoModule):
    """The `allennlp.modules.elmo.Elmo` of `load_elmo(backend="allennlp")`."""
