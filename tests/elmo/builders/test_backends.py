"""Which module is built, and what is said when a package is not there."""

from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys

import numpy as np
import pytest

import safeload
from safeload.errors import BackendError, MissingDependencyError
from tests.elmos import BACKENDS

HAS_ALLENNLP = importlib.util.find_spec("allennlp") is not None


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
    pytest.importorskip("torch")
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


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_parameter_that_holds_other_values_is_found(backend, tiny_elmo, monkeypatch):
    """Break the fill once: the proof has to see it."""
    from safeload.elmo.builders import torch_fill

    fill = torch_fill.fill

    def spoiled(bilm, *args, **kwargs):
        fill(bilm, *args, **kwargs)
        bilm._elmo_lstm.backward_layer_1.state_linearity.bias.data[7] += 1e-6

    monkeypatch.setattr(torch_fill, "fill", spoiled)
    with pytest.raises(BackendError, match=r"backward_layer_1\.state_linearity\.bias does not hold the file's values"):
        safeload.load_elmo(tiny_elmo, backend=backend)
