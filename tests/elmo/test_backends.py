"""Which module is built, what is replaced meanwhile, and what is said when a package is not there."""

from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from elmos import BACKENDS, OPTIONS_NAME, WEIGHTS_NAME

import safeload
from safeload.errors import ArgumentError, BackendError, MissingDependencyError

HAS_ALLENNLP = importlib.util.find_spec("allennlp") is not None
needs_allennlp = pytest.mark.skipif(not HAS_ALLENNLP, reason="AllenNLP installs on Python 3.10 only")


def run(code, *arguments, **environment):
    import os

    env = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False, env=env
    )


def test_auto_takes_allennlp_where_it_imports_and_says_so(tiny_elmo, caplog):
    with caplog.at_level(logging.INFO, logger="safeload"):
        module = safeload.load_elmo(tiny_elmo)

    assert safeload.report_of(module).backend == BACKENDS[0]
    assert f"backend 'auto' took {BACKENDS[0]}" in caplog.text


@pytest.mark.skipif(HAS_ALLENNLP, reason="AllenNLP is installed")
def test_without_allennlp_the_other_backend_is_named(tiny_elmo):
    with pytest.raises(MissingDependencyError) as caught:
        safeload.load_elmo(tiny_elmo, backend="allennlp")

    assert (caught.value.package, caught.value.found) == ("allennlp", "none")
    assert "AllenNLP 2.10 installs on Python 3.8 to 3.10 only" in str(caught.value)
    assert "backend='torch'" in str(caught.value)


@pytest.mark.parametrize("package", ["allennlp", "torch"])
def test_a_package_that_cannot_be_imported_shows_why(package, tiny_elmo, tmp_path):
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("raise OSError('libfoo.so: cannot open')", encoding="utf-8")
    code = f"import sys, safeload; safeload.load_elmo(sys.argv[1], backend={package!r})"
    done = run(code, tiny_elmo, PYTHONPATH=str(tmp_path))

    assert (
        f"MissingDependencyError: {package} is installed but cannot be imported: OSError: libfoo.so: cannot open"
        in done.stderr
    )
    assert "The above exception was the direct cause" in done.stderr


@pytest.mark.parametrize("call", ["load_elmo(sys.argv[1])", "character_ids([['A', 'film']])"])
def test_a_torch_that_was_built_for_another_numpy_is_told(call, tiny_elmo, tmp_path):
    """As torch 1.13 beside NumPy 2: it imports, and fails at the first array."""
    (tmp_path / "torch.py").write_text(
        "__version__ = '1.13.1'\ndef from_numpy(array): raise RuntimeError('Numpy is not available')\n",
        encoding="utf-8",
    )
    (tmp_path / "allennlp.py").write_text("raise ImportError('not here')", encoding="utf-8")
    told = run(f"import sys, safeload; safeload.{call}", tiny_elmo, PYTHONPATH=str(tmp_path)).stderr

    assert f"MissingDependencyError: torch 1.13.1 cannot use numpy {np.__version__}: Numpy is not available" in told
    assert "pip install 'numpy<2'" in told


def test_auto_goes_on_with_torch_when_allennlp_cannot_be_imported(tiny_elmo, tmp_path):
    (tmp_path / "allennlp").mkdir()
    (tmp_path / "allennlp" / "__init__.py").write_text("raise OSError('libfoo.so: cannot open')", encoding="utf-8")
    code = "import sys, safeload; print(safeload.report_of(safeload.load_elmo(sys.argv[1])).backend)"

    assert run(code, tiny_elmo, PYTHONPATH=str(tmp_path)).stdout.strip() == "torch"


def test_a_check_imports_neither_torch_nor_allennlp(tiny_elmo):
    code = "import sys, safeload; safeload.check_elmo(sys.argv[1]); print(*{'torch', 'allennlp', 'tensorflow'} & set(sys.modules))"

    assert run(code, tiny_elmo).stdout.strip() == ""


def test_the_torch_backend_does_not_import_allennlp(tiny_elmo):
    code = "import sys, safeload; safeload.load_elmo(sys.argv[1], backend='torch'); print(*{'allennlp', 'tensorflow'} & set(sys.modules))"

    assert run(code, tiny_elmo).stdout.strip() == ""


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


@needs_allennlp
def test_what_was_replaced_is_restored(tiny_elmo):
    before = what_is_replaced()
    safeload.load_elmo(tiny_elmo, backend="allennlp")
    assert what_is_replaced() == before


@needs_allennlp
def test_what_was_replaced_is_restored_after_a_failure(tiny_elmo, monkeypatch):
    from allennlp.modules import elmo

    before = what_is_replaced()
    monkeypatch.setattr(elmo, "Highway", None)
    with pytest.raises(BackendError, match="AllenNLP could not build the module: TypeError"):
        safeload.load_elmo(tiny_elmo, backend="allennlp")
    assert what_is_replaced() == before


@needs_allennlp
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


@needs_allennlp
def test_loads_in_many_threads_are_one_after_the_other(tiny_elmo):
    from concurrent.futures import ThreadPoolExecutor

    before = what_is_replaced()
    with ThreadPoolExecutor(4) as pool:
        modules = list(pool.map(lambda _: safeload.load_elmo(tiny_elmo, backend="allennlp"), range(12)))
    first = modules[0].state_dict()

    assert what_is_replaced() == before
    assert all(torch.equal(value, first[name]) for module in modules for name, value in module.state_dict().items())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_parameter_that_holds_other_values_is_found(backend, tiny_elmo, monkeypatch):
    """Break the fill once: the proof has to see it."""
    from safeload.elmo import _fill

    fill = _fill.fill

    def spoiled(bilm, *args, **kwargs):
        fill(bilm, *args, **kwargs)
        bilm._elmo_lstm.backward_layer_1.state_linearity.bias.data[7] += 1e-6

    monkeypatch.setattr(_fill, "fill", spoiled)
    with pytest.raises(BackendError, match=r"backward_layer_1\.state_linearity\.bias does not hold the file's values"):
        safeload.load_elmo(tiny_elmo, backend=backend)


def test_the_drop_in_is_an_elmo(tiny_elmo):
    from safeload.compat.allennlp import Elmo

    module = Elmo(str(tiny_elmo / OPTIONS_NAME), str(tiny_elmo / WEIGHTS_NAME), 2, False, False, 0.1)

    assert isinstance(module, Elmo)
    assert isinstance(safeload.load_elmo(tiny_elmo, backend="torch"), Elmo)
    assert not isinstance(torch.nn.Linear(1, 1), Elmo)
    assert len(module._scalar_mixes) == 2
    assert module._dropout.p == 0.1
    assert safeload.report_of(module).backend == BACKENDS[0]


def test_the_drop_in_takes_a_module_in_place_of_files(tiny_elmo):
    from safeload.compat.allennlp import Elmo, batch_to_ids

    bilm = safeload.load_elmo(tiny_elmo, backend="torch")._elmo_lstm
    module = Elmo(None, None, 1, module=bilm, dropout=0.0)

    assert module(batch_to_ids([["good"]]))["elmo_representations"][0].shape == (1, 1, 16)
    with pytest.raises(ArgumentError, match="both were passed"):
        Elmo(str(tiny_elmo), None, 1, module=bilm)


def test_the_drop_in_refuses_to_be_a_base_class():
    from safeload.compat.allennlp import Elmo

    with pytest.raises(ArgumentError, match="Tagger cannot inherit"):
        type("Tagger", (Elmo,), {})
