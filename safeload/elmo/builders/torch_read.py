"""Read the options and the datasets of an ELMo back from a torch module, AllenNLP's or safeload's.

Everything is read from the module itself, so that an ELMo that safeload did not build can be saved too. No framework is
imported: the caller's module brings it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safeload._bytes.files import FileRef
from safeload.elmo._characters import MAX_CHARACTERS_PER_TOKEN
from safeload.elmo._module import ENCODER, LSTMS, dataset_of
from safeload.elmo._options import validate_options
from safeload.elmo.builders import torch_fill

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    Array = NDArray[Any]

_WRAPPERS = ("module", "_orig_mod", "_elmo", "elmo_bilm")
"""Where DistributedDataParallel, torch.compile, AllenNLP's ElmoTokenEmbedder and an ElmoEmbedder keep the module."""
_INEXACT = (".state_linearity.bias", "._char_embedding_weights")
"""The biases of the forget gates, and row 0 of the characters' table, which is padding and in no file."""
_N_FLOAT_BYTES = 4
_N_STRIP_ROWS = 64


class TorchElmo:
    """The options and values of an ELMo in torch.

    Attributes:
        elmo: The module with the weighted sums; the biLM if there is none around it.
        bilm: The biLM.
        options: Its options, validated; `raw` is what an options file holds.
    """

    def __init__(self, module: Any) -> None:  # noqa: ANN401  (a torch module)
        """Find the biLM and read its options.

        Raises:
            AttributeError: The module is no ELMo.
            ConfigError: Its sizes are not those of an ELMo that files can hold.
        """
        for _ in _WRAPPERS:
            module = next((getattr(module, name) for name in _WRAPPERS if hasattr(module, name)), module)
        self.elmo = module
        self.bilm = getattr(module, LSTMS) if hasattr(getattr(module, LSTMS), LSTMS) else module
        raw = _options_of(getattr(self.bilm, ENCODER), getattr(self.bilm, LSTMS))
        self.options = validate_options(raw, FileRef(path="the module", role="options"))

    def learned_sums(self) -> list[str]:
        """Return the names of the weighted sums that have other weights than at the start."""
        return [name for name, mix in self.sums().items() if _is_learned(mix)]

    def sums(self) -> dict[str, Any]:
        """Return the modules of the weighted sums by their names."""
        return {name: child for name, child in self.elmo.named_children() if _is_sum(child)}

    @property
    def table(self) -> Any:  # noqa: ANN401  (a torch tensor)
        """The vectors of the characters."""
        return getattr(self.bilm, ENCODER)._char_embedding_weights  # noqa: SLF001  (AllenNLP's name)

    @property
    def is_allennlp(self) -> bool:
        """Whether the biLM is of AllenNLP's classes."""
        return _is_allennlp(getattr(self.bilm, LSTMS).forward_layer_0)

    def read(self, name: str) -> Array:
        """Return the values of a dataset, in float32.

        Raises:
            AttributeError: The module lacks the parameter.
        """
        import numpy as np  # noqa: PLC0415  (not for `import safeload`)

        found = dataset_of(name, _Held(self.bilm), self.options)
        with np.errstate(over="ignore", under="ignore"):
            return np.ascontiguousarray(found, np.float32)

    def compared(self, values: Mapping[str, Array]) -> Iterator[tuple[str, Array, Array, bool]]:
        """Yield each parameter in strips of rows, and what a load of these values gives there.

        Yields:
            The parameter's name, what the module holds, what a load gives, and whether the two may differ.
        """
        for name, target, loaded in torch_fill.pairs(_Held(self.bilm), values, self.options):
            may_differ = name.endswith(_INEXACT) or target.itemsize > _N_FLOAT_BYTES
            source = loaded.numpy()
            for start in range(0, len(target), _N_STRIP_ROWS):
                rows = slice(start, start + _N_STRIP_ROWS)
                yield name, target[rows], source[rows], may_differ


class _Held(dict[str, Any]):
    """The parameters of a module as arrays, in float32 or float64; it keeps the last one."""

    def __init__(self, bilm: Any) -> None:  # noqa: ANN401  (a torch module)
        super().__init__()
        self._bilm = bilm

    def __missing__(self, name: str) -> Array:
        place, _, last = name.rpartition(".")
        tensor = getattr(self._bilm.get_submodule(place), last).detach().cpu()
        self.clear()
        found: Array = (tensor if tensor.element_size() > _N_FLOAT_BYTES else tensor.float()).numpy()
        self[name] = found
        return found


def _options_of(encoder: Any, lstm: Any) -> dict[str, Any]:  # noqa: ANN401  (torch modules)
    """Return the options of a biLM, in which AllenNLP's attributes have other names than safeload's."""
    convolutions: list[Any] = []
    while hasattr(encoder, f"char_conv_{len(convolutions)}"):
        convolutions.append(getattr(encoder, f"char_conv_{len(convolutions)}").weight)
    cell = lstm.forward_layer_0
    theirs = _is_allennlp(cell)
    names = ("memory_cell_clip_value", "state_projection_clip_value") if theirs else ("cell_clip", "proj_clip")
    table = encoder._char_embedding_weights  # noqa: SLF001  (AllenNLP's name)
    activation = encoder._options["char_cnn"]["activation"] if theirs else encoder._activation.__name__  # noqa: SLF001
    return {
        "lstm": {
            "use_skip_connections": getattr(lstm, "use_skip_connections", True),
            "projection_dim": lstm.hidden_size,
            "cell_clip": getattr(cell, names[0]),
            "proj_clip": getattr(cell, names[1]),
            "dim": lstm.cell_size,
            "n_layers": lstm.num_layers,
        },
        "char_cnn": {
            "activation": activation,
            "filters": [[weight.shape[2], weight.shape[0]] for weight in convolutions],
            "n_highway": len(encoder._highways._layers),  # noqa: SLF001  (AllenNLP's names)
            "embedding": {"dim": table.shape[1]},
            "n_characters": table.shape[0],
            "max_characters_per_token": MAX_CHARACTERS_PER_TOKEN,
        },
    }


def _is_allennlp(cell: Any) -> bool:  # noqa: ANN401  (a torch module)
    return hasattr(cell, "memory_cell_clip_value")


def _is_sum(child: Any) -> bool:  # noqa: ANN401  (a torch module)
    return hasattr(child, "scalar_parameters") and hasattr(child, "gamma")


def _is_learned(mix: Any) -> bool:  # noqa: ANN401  (a torch module)
    """Return whether a weighted sum has other weights than it starts with."""
    return float(mix.gamma.detach()) != 1 or any(float(each.detach()) for each in mix.scalar_parameters)
