"""Compute the layers of an ELMo in torch, AllenNLP's or safeload's."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from safeload._outputs.calling import called
from safeload.elmo._module import LSTMS
from safeload.elmo.layers import CHARACTERS, DTYPE, layer_names, sum_name, sum_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from safeload.elmo.builders.torch_read import TorchElmo

    Array = NDArray[Any]


def compute(held: TorchElmo, ids: Array, *, as_it_is: bool = False) -> dict[str, Array]:
    """Return what each layer computes; see `safeload.elmo.layers`.

    Args:
        held: The module.
        ids: Character ids `(rows, tokens, 50)`.
        as_it_is: Whether dropout is on where the module is in `train()`.

    Source:
        allennlp/modules/elmo.py, Elmo.forward and _ElmoBiLm.forward, AllenNLP 2.10.1.
    """
    import torch  # noqa: PLC0415  (the caller has a module of it)

    elmo, bilm = held.elmo, held.bilm
    with called(torch, elmo, as_it_is=as_it_is), _without_state(getattr(bilm, LSTMS)):
        output = bilm(torch.from_numpy(ids).to(held.table.device))
        words, *layers = activations = output["activations"]
        found = {CHARACTERS: words.chunk(2, dim=-1)[0]}
        for names, layer in zip(layer_names(len(layers)), layers, strict=True):
            found.update(zip(names, layer.chunk(2, dim=-1), strict=True))
        for number, mix in enumerate(held.sums().values()):
            found[sum_name(number)] = elmo._dropout(mix(activations, output["mask"]))  # noqa: SLF001  (AllenNLP's name)
        return {name: each.float().cpu().numpy() for name, each in found.items()}


def settings_of(held: TorchElmo) -> dict[str, object]:
    """Return what the module computes with, besides its options."""
    sums = {
        sum_name(number): sum_text(
            [float(each.detach()) for each in mix.scalar_parameters],
            float(mix.gamma.detach()),
            do_layer_norm=bool(mix.do_layer_norm),
        )
        for number, mix in enumerate(held.sums().values())
    }
    return {DTYPE: str(held.table.dtype).removeprefix("torch."), **sums}


@contextmanager
def _without_state(lstm: Any) -> Iterator[None]:  # noqa: ANN401  (a torch module, AllenNLP's or safeload's)
    """Start without the state that the LSTMs keep, and put it back."""
    kept, lstm._states = lstm._states, None  # noqa: SLF001  (AllenNLP's name)
    try:
        yield
    finally:
        lstm._states = kept  # noqa: SLF001
