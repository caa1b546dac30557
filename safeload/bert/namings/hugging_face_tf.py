"""Match the names of Hugging Face's TensorFlow models, such as `bert/encoder/layer_._0/attention/self/query/kernel:0`.

In `tf_model.h5`, each layer's variables stand below the layer and the model: `bert/tf_bert_model/bert/encoder/...`, and the
layer `mlm___cls` repeats the embeddings; safetensors of the same model have neither.

Source:
    transformers/models/bert/modeling_tf_bert.py and modeling_tf_utils.py, transformers 4.49.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from safeload.bert._parameters import FIRST_VARIABLE, HEAD
from safeload.bert.namings._table import HEADS, Row, Table

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from safeload._naming import Change
    from safeload.report import TensorSpec

_IN_LAYER = ("attention/self/query", "attention/self/key", "attention/self/value", "attention/output/dense",
             "intermediate/dense", "output/dense")  # fmt: skip
_NORMS = ("attention/output/LayerNorm", "output/LayerNorm")
_TRANSFORM = "predictions/transform"
_OF_HEADS: dict[str, tuple[str, Change]] = {"weight": ("kernel:0", "transposed"), "bias": ("bias:0", "same")}
"""What torch calls the parts of a linear layer -> what Keras calls them."""


def _pair(parameter: str, name: str, parts: tuple[str, str]) -> Iterator[Row]:
    for part in parts:
        yield Row(f"{parameter}/{part}", (f"{name}/{part}:0",))


def _embeddings() -> Iterator[Row]:
    yield Row(FIRST_VARIABLE, ("embeddings/word_embeddings/weight:0",))
    for part in ("position", "token_type"):
        yield Row(f"bert/embeddings/{part}_embeddings", (f"embeddings/{part}_embeddings/embeddings:0",))
    yield from _pair("bert/embeddings/LayerNorm", "embeddings/LayerNorm", ("gamma", "beta"))


def _rows() -> Iterator[Row]:
    yield from _embeddings()
    for part in _IN_LAYER:
        yield from _pair(f"bert/encoder/layer_{{}}/{part}", f"encoder/layer_._{{}}/{part}", ("kernel", "bias"))
    for part in _NORMS:
        yield from _pair(f"bert/encoder/layer_{{}}/{part}", f"encoder/layer_._{{}}/{part}", ("gamma", "beta"))
    yield from _pair("bert/pooler/dense", "pooler/dense", ("kernel", "bias"))
    yield from _pair(f"cls/{_TRANSFORM}/dense", f"mlm___cls/{_TRANSFORM}/dense", ("kernel", "bias"))
    yield from _pair(f"cls/{_TRANSFORM}/LayerNorm", f"mlm___cls/{_TRANSFORM}/LayerNorm", ("gamma", "beta"))
    yield Row(HEAD, ("mlm___cls/predictions/bias:0",))
    yield Row("cls/seq_relationship/output_weights", ("nsp___cls/seq_relationship/kernel:0",), "transposed")
    yield Row("cls/seq_relationship/output_bias", ("nsp___cls/seq_relationship/bias:0",))


class HuggingFaceTf(Table):
    """The names of Hugging Face's TensorFlow models."""

    id = "hugging-face-tf"
    usual_scope = "bert/"
    separator = "/"
    gelu = "gelu_erf"
    has_torch_heads = True
    rows = tuple(_rows())
    copies = {f"bert/{row.names[0]}": row.parameter for row in _embeddings()}  # noqa: RUF012  (the base class declares it)
    heads = ("mlm___cls", "nsp___cls")

    def scopes(self, names: Collection[str]) -> list[str]:
        """Return the prefix of the name of the word embeddings, but for those that the MLM head repeats."""
        return [scope for scope in super().scopes(names) if not self._is_of_heads(scope)]

    def stored_as(self, parameter: str, scope: str, names: Collection[str] = ()) -> tuple[str, Change]:
        """Return the name of a parameter in the file, and the change of its values; a head is given as torch names it."""
        module, _, part = parameter.rpartition(".")
        if not module or part not in _OF_HEADS:
            return super().stored_as(parameter, scope, names)
        ours, change = _OF_HEADS[part]
        name = f"{module.replace('.', '/')}/{ours}"
        return self._before_head(name, scope) + name, change

    def shown(self, name: str, scope: str) -> str:
        """Return the stored name of a parameter, and of a head that torch names."""
        return self.stored_as(name, scope)[0] if name.rpartition(".")[2] in _OF_HEADS else super().shown(name, scope)

    def class_of(self, name: str, spec: TensorSpec, scope: str) -> str:
        """Return the class of a tensor that a load does not read."""
        return HEADS if self._is_of_heads(name) else super().class_of(name, spec, scope)

    def copy_of(self, name: str, scope: str, expected: Collection[str]) -> str | None:
        """Return the parameter of which a tensor must be a copy: those that the MLM head repeats, where it is read."""
        is_copy = HEAD in expected and self._is_of_heads(name)
        return self.copies.get(self._inner(name, scope)) if is_copy else None

    def _before_head(self, name: str, scope: str) -> str:
        """Return the prefix of the name of a head: its layer and the model, where the encoder has them too."""
        layer, *model = scope.split("/")[:-1] or [""]
        if len(model) > 1 and model[-1] == layer:
            return "/".join([name.partition("/")[0], *model[:-1], ""])
        return super()._before_head(name, scope)
