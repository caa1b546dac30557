"""Define what every writer of a BERT does: say what its form can express, and write it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from safeload._arguments import is_number
from safeload._json import shown, write_json
from safeload.bert._content import MLM
from safeload.bert._runtimes import DROPOUTS, GELU_ERF, GELU_TANH, LAYER_NORM_EPS, dropout_rates
from safeload.errors import ConfigError
from safeload.report import KeyProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from safeload._naming import Naming
    from safeload.bert._config import BertConfig
    from safeload.bert._content import Content
    from safeload.bert._runtimes import Runtime

    Tensors = Iterator[tuple[str, NDArray[Any]]]
    Specs = Mapping[str, tuple[tuple[int, ...], str]]

VOCAB_NAME = "vocab.txt"
SIZES = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "max_position_embeddings",
    "type_vocab_size",
)  # fmt: skip
SPREAD = 0.02
"""The initial values, which a config means if it does not say it.

Source:
    google-research/bert, modeling.py, BertConfig.
"""

_OF_THE_FILE = (
    *SIZES, "hidden_act", "layer_norm_eps", "hidden_dropout_prob", "attention_probs_dropout_prob", "architectures",
    "model_type", "transformers_version", "_name_or_path", "name_or_path", "torch_dtype", "dtype", "position_embedding_type",
    "tie_word_embeddings",
)  # fmt: skip
"""Keys that a writer writes itself, or that describe the file beside which the config was."""

_OF_CODE = (
    "auto_map", "quantization_config", "transformers_weights", "attn_implementation", "_attn_implementation",
    "experts_implementation", "_experts_implementation",
)  # fmt: skip
"""Keys that name code or files, or how values were stored: what is written is none of these."""


class Writer(ABC):
    """A form that a BERT is written in.

    Attributes:
        id: The name of the form as the argument `form`.
        naming: The names of its tensors.
        runtime: The library that owns it.
        config_name: The name of its config.
        names: The names of all files that it may have.
    """

    id: ClassVar[str]
    naming: ClassVar[Naming]
    runtime: ClassVar[Runtime]
    config_name: ClassVar[str]
    names: ClassVar[tuple[str, ...]]

    @abstractmethod
    def parts(self, found: frozenset[str]) -> frozenset[str]:
        """Return which of the parts of a model besides the encoder the form has a place for."""

    @abstractmethod
    def config(self, content: Content, heads: Mapping[str, str]) -> dict[str, Any]:
        """Return the config; `heads` are the task heads that are written: their name -> their name in this form.

        Raises:
            ConfigError: The form cannot express something.
        """

    @abstractmethod
    def write_weights(self, folder: Path, specs: Specs, tensors: Tensors, n_layers: int) -> None:
        """Write the weights.

        Raises:
            OSError: The system cannot write.
        """

    def scope(self, content: Content) -> str:
        """Return the prefix of the names."""
        del content
        return self.naming.usual_scope

    def head(self, name: str, content: Content) -> str | None:
        """Return the name of a task head in this form; None if it has none."""
        return name if content.naming == self.naming.id else None

    def order(self, parameters: Sequence[str]) -> list[str]:
        """Return the parameters in the order of the file."""
        return list(parameters)

    def notes(self, content: Content) -> list[str]:
        """Return what is worth knowing of the new files."""
        del content
        return []

    def write(self, folder: Path, content: Content, config: Mapping[str, Any], specs: Specs, tensors: Tensors) -> None:
        """Write all files."""
        write_json(folder / self.config_name, config)
        self.write_vocabulary(folder, content)
        self.write_weights(folder, specs, tensors, content.config.num_hidden_layers)

    def write_vocabulary(self, folder: Path, content: Content) -> None:
        """Write the vocabulary, if there is one."""
        if content.vocabulary is not None:
            (folder / VOCAB_NAME).write_bytes(content.vocabulary)


def sizes_of(config: BertConfig) -> dict[str, Any]:
    """Return the sizes of a config, under Google's and Hugging Face's keys."""
    return {key: getattr(config, key) for key in SIZES}


def dropouts(config: BertConfig) -> dict[str, float]:
    """Return the two dropouts, under Google's and Hugging Face's keys."""
    return dict(zip(DROPOUTS, dropout_rates(config.raw), strict=True))


def epsilon(config: BertConfig) -> float:
    """Return what a config adds to a LayerNorm's variance."""
    value = config.raw.get("layer_norm_eps")
    return LAYER_NORM_EPS if value is None else float(value)


def carried(content: Content) -> dict[str, Any]:
    """Return the other keys of a config, such as those of labels."""
    raw = content.config.raw
    others = {key: value for key, value in raw.items() if key not in (*_OF_THE_FILE, *_OF_CODE)}
    return {"initializer_range": SPREAD, **others}


def dropped(content: Content) -> list[str]:
    """Return a note for keys that no config is written with."""
    raw = content.config.raw
    found = [key for key in _OF_CODE if key in raw]
    tied = ["the decoder is tied to the embeddings, which have the same values"]
    is_untied = raw.get("tie_word_embeddings") is False and MLM in content.parts
    return [*(f"the key {key} of the config is left out" for key in found), *(tied if is_untied else [])]


def require(content: Content, form: str, *problems: KeyProblem | None) -> None:
    """Require that there is no problem.

    Raises:
        ConfigError: There is one.
    """
    found = [problem for problem in problems if problem is not None]
    if not found:
        return
    hints = ["choose another form, or change the config on purpose"]
    if any(problem.key == "hidden_act" for problem in found) and content.config.activation == GELU_ERF:
        hints = [
            f'pass activation="{GELU_TANH}" to accept the other form of GELU',
            'or pass form="safetensors", which has both',
        ]
    raise ConfigError(
        f"the form {form} cannot express the BERT config",
        problems=found,
        resolved=content.config.path,
        label="config",
        details=[str(problem) for problem in found],
        hints=hints,
    )


def needs_activation(content: Content, form: str, words: Mapping[str, str]) -> KeyProblem | None:
    """Return the problem of an activation that is not among `words`, activation -> what the form calls it."""
    found = content.config.activation
    if found in words:
        return None
    known = ", ".join(words)
    return KeyProblem(key="hidden_act", problem=f"{found} is no activation of the form {form}, which has {known}")


def needs_epsilon(content: Content, form: str) -> KeyProblem | None:
    """Return the problem of a LayerNorm's epsilon that is not BERT's."""
    value = content.config.raw.get("layer_norm_eps")
    if value is None or (is_number(value) and value == LAYER_NORM_EPS):
        return None
    text = f"{shown(value)}, and the form {form} means {LAYER_NORM_EPS:g} without saying it"
    return KeyProblem(key="layer_norm_eps", problem=text)


def needs(key: str, found: object, wanted: object, form: str) -> KeyProblem | None:
    """Return the problem of a value that the form cannot have."""
    return (
        None
        if found == wanted
        else KeyProblem(key=key, problem=f"{shown(found)}, and the form {form} has {shown(wanted)}")
    )


def filled(labels: Mapping[str, str], n_layers: int, fields: Callable[[int], Mapping[str, object]]) -> dict[str, str]:
    """Return labels with the numbers of the layers in the place of the braces."""
    found: dict[str, str] = {}
    for group, label in labels.items():
        numbers = range(n_layers) if "{" in group + label else range(1)
        found.update((group.format(**fields(number)), label.format(**fields(number))) for number in numbers)
    return found
