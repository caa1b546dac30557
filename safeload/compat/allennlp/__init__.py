"""Replace AllenNLP's `Elmo`, `batch_to_ids` and `ElmoEmbedder`: the same signatures, with safeload's checks.

`from allennlp.modules.elmo import Elmo, batch_to_ids` becomes
`from safeload.compat.allennlp import Elmo, batch_to_ids`, and `from allennlp.commands.elmo import ElmoEmbedder` becomes
`from safeload.compat.allennlp import ElmoEmbedder`. `ElmoTokenEmbedder` is here too, where AllenNLP is installed.

Source:
    allennlp/modules/elmo.py, AllenNLP 2.10.1.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from safeload import elmo
from safeload._arguments import bad_argument
from safeload._boundary import typed_errors
from safeload._frameworks.elmo import choose_backend
from safeload.compat.allennlp import _cache
from safeload.compat.allennlp.elmo_embedder import ElmoEmbedder
from safeload.elmo._arguments import elmo_arguments, require_numbers
from safeload.elmo.builders import builder_of
from safeload.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from safeload._bytes.paths import StrPath

__all__ = ["Elmo", "ElmoEmbedder", "batch_to_ids"]


def __getattr__(name: str) -> Any:  # noqa: ANN401  (a class of AllenNLP's)
    """Return `ElmoTokenEmbedder`, whose import needs AllenNLP.

    Raises:
        AttributeError: The name is another.
        MissingDependencyError: AllenNLP cannot be imported.
    """
    if name == "ElmoTokenEmbedder":
        from safeload.compat.allennlp.embedder import ElmoTokenEmbedder  # noqa: PLC0415  (it imports AllenNLP)

        return ElmoTokenEmbedder
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message, name=name, obj=sys.modules[__name__])


class _IsAnyElmo(type):
    """Metaclass that makes `isinstance(module, Elmo)` true for the modules that `Elmo(...)` returns."""

    def __instancecheck__(cls, instance: object) -> bool:
        modules = [sys.modules.get(name) for name in ("allennlp.modules.elmo", "safeload.elmo.builders.torch")]
        return isinstance(instance, tuple(module.Elmo for module in modules if module is not None))


class Elmo(metaclass=_IsAnyElmo):
    """`safeload.load_elmo` with the signature of AllenNLP's `Elmo`.

    Calling it returns AllenNLP's own module if AllenNLP can be imported. Otherwise it returns safeload's, which has the same
    parameters, `state_dict` keys, forward and outputs.
    """

    @typed_errors
    def __new__(  # noqa: PLR0913, PLR0917  (AllenNLP's signature)
        cls,
        options_file: StrPath | None,
        weight_file: StrPath | None,
        num_output_representations: int,
        requires_grad: bool = False,  # noqa: FBT001, FBT002
        do_layer_norm: bool = False,  # noqa: FBT001, FBT002
        dropout: float = 0.5,
        vocab_to_cache: Sequence[str] | None = None,
        keep_sentence_boundaries: bool = False,  # noqa: FBT001, FBT002
        scalar_mix_parameters: Sequence[float] | None = None,
        module: Any = None,  # noqa: ANN401  (a torch module)
    ) -> Any:  # noqa: ANN401  (a torch module)
        """Load the module.

        Args:
            options_file: As in `safeload.load_elmo`; None with `module`.
            weight_file: As in `safeload.load_elmo`; None with `module`.
            num_output_representations: As in `safeload.load_elmo`.
            requires_grad: As in `safeload.load_elmo`.
            do_layer_norm: As in `safeload.load_elmo`.
            dropout: As in `safeload.load_elmo`.
            vocab_to_cache: As in `safeload.load_elmo`.
            keep_sentence_boundaries: As in `safeload.load_elmo`.
            scalar_mix_parameters: As in `safeload.load_elmo`.
            module: A biLM to use instead of the two files; no file is read.

        Raises:
            SafeLoadError: As `safeload.load_elmo`.
        """
        options: dict[str, Any] = {
            "requires_grad": requires_grad,
            "do_layer_norm": do_layer_norm,
            "dropout": dropout,
            "vocab_to_cache": vocab_to_cache,
            "keep_sentence_boundaries": keep_sentence_boundaries,
            "scalar_mix_parameters": scalar_mix_parameters,
        }
        if module is None:
            files = _cache.cached(options_file, "options_file"), _cache.cached(weight_file, "weight_file")
            return elmo.load_elmo(*files, num_output_representations, **options)
        if options_file is not None or weight_file is not None:
            message = "module replaces options_file and weight_file, but a file was passed too"
            raise ArgumentError(message, argument="module", hints=["pass None for both files, or leave module out"])
        arguments = elmo_arguments(num_output_representations=num_output_representations, backend="auto", **options)
        require_numbers(arguments)
        mixed, n_layers = arguments.scalar_mix_parameters, getattr(module, "num_layers", None)
        if not (isinstance(n_layers, int) and callable(getattr(module, "get_output_dim", None))):
            hints = ["pass an allennlp.modules.elmo._ElmoBiLm, or the _elmo_lstm of another Elmo"]
            raise bad_argument("module", module, "a biLM with num_layers and get_output_dim", hints)
        if mixed is not None and len(mixed) != n_layers:
            hints = ["pass one number for each layer, or leave it out to learn them"]
            raise bad_argument("scalar_mix_parameters", list(mixed), f"{n_layers} numbers, as module has layers", hints)
        return builder_of(choose_backend("auto")).around(module, arguments)

    def __init_subclass__(cls) -> None:
        """Reject subclasses: `Elmo(...)` returns modules of other classes, so a subclass would have no effect.

        Raises:
            ArgumentError: Always.
        """
        message = (
            f"{cls.__name__} cannot inherit from safeload.compat.allennlp.Elmo, which returns modules of other classes"
        )
        hints = ["inherit from torch.nn.Module, and keep Elmo(...) as an attribute"]
        raise ArgumentError(message, argument="Elmo", hints=hints)


@typed_errors
def batch_to_ids(batch: Sequence[Sequence[str]]) -> Any:  # noqa: ANN401  (a torch tensor)
    """Return the character ids of sentences, as `safeload.character_ids` does.

    Raises:
        ArgumentError, MissingDependencyError: As `safeload.character_ids`.
    """
    return elmo.ids_tensor(batch, "batch")
