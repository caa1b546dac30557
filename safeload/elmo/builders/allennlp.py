"""Build AllenNLP's own Elmo from verified values, without initialisation that would be overwritten."""

from __future__ import annotations

import copy
import importlib
import os
import threading
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from safeload.elmo._module import LSTMS, as_datasets, is_of_module
from safeload.elmo.builders import torch_fill
from safeload.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from safeload.elmo._arguments import ElmoArguments
    from safeload.elmo._options import ElmoOptions

_LOCK = threading.RLock()


def build(options: ElmoOptions, arguments: ElmoArguments, values: Mapping[str, NDArray[Any]]) -> Any:  # noqa: ANN401  (a torch module)
    """Build AllenNLP's Elmo, and verify that every parameter holds the file's values.

    AllenNLP's constructor runs unchanged. While it runs, and only in the calling thread, reads of the two files return the
    checked options and values, and random initialisation does nothing.

    Raises:
        BackendError: AllenNLP failed, or a parameter does not hold the file's values.

    Source:
        allennlp/modules/elmo.py, Elmo, AllenNLP 2.10.1.
    """
    try:
        with _reads_replaced(options, as_datasets(values, options)):
            module = _construct(options.path, "the weights that safeload verified", arguments)
    except Exception as exc:
        reason = " ".join(str(exc).split())[:200]
        message = f"AllenNLP could not build the module: {type(exc).__name__}: {reason}"
        hints = ["the exception above is the cause"]
        raise BackendError(message, resolved=options.path, label="options", hints=hints) from exc
    start = "" if is_of_module(values) else LSTMS  # AllenNLP's constructor has filled the rest from the datasets
    torch_fill.fill(module._elmo_lstm, values, options, start=start)  # noqa: SLF001  (the biLM)
    torch_fill.prove(module._elmo_lstm, values, options)  # noqa: SLF001
    for mix in module._scalar_mixes:  # noqa: SLF001
        mix.gamma.data.fill_(arguments.gamma)
    from safeload.elmo.builders import torch_inputs  # noqa: PLC0415  (it imports torch)

    module.register_forward_pre_hook(torch_inputs.check_tensor)
    module._elmo_lstm.register_forward_pre_hook(torch_inputs.check_call)  # noqa: SLF001
    if arguments.stateful is False:
        module._elmo_lstm._elmo_lstm.register_forward_pre_hook(_reset_states)  # noqa: SLF001
    return module


def _reset_states(lstm: Any, _inputs: Any) -> None:  # noqa: ANN401  (AllenNLP's LSTM, whose own stateful=False fails when the batch grows)
    lstm.reset_states()


def around(bilm: Any, arguments: ElmoArguments) -> Any:  # noqa: ANN401  (torch modules)
    """Return AllenNLP's Elmo around a biLM that the caller built."""
    return _construct(None, None, arguments, module=bilm)


def _construct(options_file: str | None, weight_file: str | None, arguments: ElmoArguments, module: Any = None) -> Any:  # noqa: ANN401
    words, mixed = arguments.vocab_to_cache, arguments.scalar_mix_parameters
    return importlib.import_module("allennlp.modules.elmo").Elmo(
        options_file,
        weight_file,
        arguments.num_output_representations,
        requires_grad=arguments.requires_grad,
        do_layer_norm=arguments.do_layer_norm,
        dropout=arguments.dropout,
        vocab_to_cache=None if words is None else list(words),
        keep_sentence_boundaries=arguments.keep_sentence_boundaries,
        scalar_mix_parameters=None if mixed is None else list(mixed),
        module=module,
    )


@contextmanager
def _reads_replaced(options: ElmoOptions, values: Mapping[str, NDArray[Any]]) -> Iterator[None]:
    """Replace the initialisers and the reading of both files, only in the calling thread."""
    torch = importlib.import_module("torch")
    elmo = importlib.import_module("allennlp.modules.elmo")
    cell = importlib.import_module("allennlp.modules.lstm_cell_with_projection").LstmCellWithProjection
    lstm = importlib.import_module("allennlp.modules.elmo_lstm").ElmoLstm

    def require_grad_as_asked(self: Any, weight_file: str) -> None:  # noqa: ANN401, ARG001  (AllenNLP's signature)
        self.requires_grad_(self.requires_grad)

    def nothing(self: Any) -> None:  # noqa: ANN401
        """Skip initialisation: every value is filled and verified afterwards."""

    replaced: tuple[tuple[Any, str, Callable[..., Any]], ...] = (
        (torch.nn.Linear, "reset_parameters", nothing),
        (torch.nn.modules.conv._ConvNd, "reset_parameters", nothing),  # noqa: SLF001  (the base of Conv1d)
        (cell, "reset_parameters", nothing),
        (lstm, "load_weights", require_grad_as_asked),
        (elmo, "cached_path", lambda path: os.devnull),  # noqa: ARG005  (it is opened, and not read: it may be in an archive)
    )
    with _LOCK:
        owner = threading.get_ident()
        h5py = SimpleNamespace(File=_for_thread(owner, lambda path, mode: _VerifiedFile(values), elmo.h5py.File))  # noqa: ARG005
        json = SimpleNamespace(load=_for_thread(owner, lambda file: copy.deepcopy(options.raw), elmo.json.load))  # noqa: ARG005
        stand_ins: list[tuple[Any, str, Any]] = [(elmo, "h5py", h5py), (elmo, "json", json)]
        stand_ins += [(place, name, _for_thread(owner, call, getattr(place, name))) for place, name, call in replaced]
        originals = [(place, name, getattr(place, name)) for place, name, _ in stand_ins]
        try:
            for place, name, stand_in in stand_ins:
                setattr(place, name, stand_in)
            yield
        finally:
            for place, name, original in originals:
                setattr(place, name, original)


def _for_thread(owner: int, call: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
    def either(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return (call if threading.get_ident() == owner else original)(*args, **kwargs)

    return either


class _VerifiedFile:
    """A stand-in for the open h5py file that AllenNLP reads, with its groups and datasets."""

    def __init__(self, values: Mapping[str, NDArray[Any]], group: str = "") -> None:
        self._values = values
        self._group = group

    def __enter__(self) -> _VerifiedFile:  # noqa: PYI034  (Self is newer than Python 3.10)
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401  (a NumPy array, or a group of them)
        path = self._group + name
        return self._values[path] if path in self._values else _VerifiedFile(self._values, path + "/")
