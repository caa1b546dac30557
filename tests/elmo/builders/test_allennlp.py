"""AllenNLP's own module: what is replaced while it is built, and for whom."""

from __future__ import annotations

import threading

import pytest
import torch

import safeload
from safeload.errors import BackendError
from tests.elmos import OPTIONS_NAME, WEIGHTS_NAME

pytest.importorskip("allennlp.modules.elmo", reason="AllenNLP installs on Python 3.10 only")


def what_is_replaced():
    from allennlp.modules import elmo
    from allennlp.modules.elmo_lstm import ElmoLstm
    from allennlp.modules.lstm_cell_with_projection import LstmCellWithProjection

    return (
        elmo.h5py,
        elmo.json,
        elmo.cached_path,
        ElmoLstm.load_weights,
        LstmCellWithProjection.reset_parameters,
        torch.nn.Linear.reset_parameters,
        torch.nn.modules.conv._ConvNd.reset_parameters,
    )


def test_what_was_replaced_is_restored(tiny_elmo):
    before = what_is_replaced()
    safeload.load_elmo(tiny_elmo, backend="allennlp")
    assert what_is_replaced() == before


def test_what_was_replaced_is_restored_after_a_failure(tiny_elmo, monkeypatch):
    from allennlp.modules import elmo

    before = what_is_replaced()
    monkeypatch.setattr(elmo, "Highway", None)
    with pytest.raises(BackendError, match="AllenNLP could not build the module: TypeError"):
        safeload.load_elmo(tiny_elmo, backend="allennlp")
    assert what_is_replaced() == before


def test_other_threads_keep_their_initialisers_and_files(tiny_elmo):
    from allennlp.modules.elmo import Elmo

    failures, stop = [], threading.Event()

    def work():
        while not stop.is_set():
            weight = torch.nn.Linear(64, 64).weight
            if not (0 < float(weight.abs().max()) <= 0.125):
                failures.append("a Linear was not initialised")
            theirs = Elmo(str(tiny_elmo / OPTIONS_NAME), str(tiny_elmo / WEIGHTS_NAME), 1)
            if not theirs._elmo_lstm._elmo_lstm.forward_layer_0.input_linearity.weight.abs().sum() > 0:
                failures.append("AllenNLP's own load read nothing")

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    modules = [safeload.load_elmo(tiny_elmo, backend="allennlp") for _ in range(20)]
    stop.set()
    for thread in threads:
        thread.join()

    assert not failures
    first = modules[0].state_dict()
    assert all(torch.equal(value, first[name]) for module in modules for name, value in module.state_dict().items())


def test_loads_in_many_threads_are_one_after_the_other(tiny_elmo):
    from concurrent.futures import ThreadPoolExecutor

    before = what_is_replaced()
    with ThreadPoolExecutor(4) as pool:
        modules = list(pool.map(lambda _: safeload.load_elmo(tiny_elmo, backend="allennlp"), range(12)))
    first = modules[0].state_dict()

    assert what_is_replaced() == before
    assert all(torch.equal(value, first[name]) for module in modules for name, value in module.state_dict().items())
