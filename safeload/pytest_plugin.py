"""Provide pytest fixtures for testing set-up code; pytest finds them when safeload is installed.

- `tiny_bert`, `tiny_elmo`: read-only folders with a tiny real model, written once per session.
- `bert_faults`, `elmo_faults`: run the test once per known fault, each with a broken copy of the model.

```python
def test_my_set_up_reports_the_fault(bert_faults):
    with pytest.raises(bert_faults.error):
        my_set_up(bert_faults.folder)
```

Until a test uses one of them, only pytest and `safeload` itself are imported, not NumPy or h5py.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safeload.errors import SafeLoadError


@dataclass(frozen=True)
class BrokenModel:
    """A model with one fault.

    Attributes:
        name: The name of the fault.
        folder: A copy of the tiny model with the fault.
        error: The error that safeload raises for it.
    """

    name: str
    folder: Path
    error: type[SafeLoadError]


@pytest.fixture(scope="session")
def bert_form(request: pytest.FixtureRequest) -> str:
    """Return the form of `tiny_bert`. A test may choose any form of `safeload.testing.write_bert`.

    ```python
    @pytest.mark.parametrize("bert_form", ["tensorflow", "safetensors", "torch"], indirect=True)
    def test_my_set_up_loads_each_form(tiny_bert): ...
    ```
    """
    return getattr(request, "param", "tensorflow")


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory, bert_form: str) -> Iterator[Path]:
    """Yield a read-only folder with a tiny BERT: config, vocabulary, and weights with heads, in the form `bert_form`."""
    from safeload.testing import write_bert  # noqa: PLC0415  (only if a test uses it)

    yield from _written_once(tmp_path_factory, "tiny_bert", partial(write_bert, form=bert_form))


@pytest.fixture(scope="session")
def elmo_form(request: pytest.FixtureRequest) -> str:
    """Return the form of `tiny_elmo`. A test may choose any form of `safeload.testing.write_elmo`."""
    return getattr(request, "param", "hdf5")


@pytest.fixture(scope="session")
def tiny_elmo(tmp_path_factory: pytest.TempPathFactory, elmo_form: str) -> Iterator[Path]:
    """Yield a read-only folder with a tiny ELMo: options and weights, in the form `elmo_form`."""
    from safeload.testing import write_elmo  # noqa: PLC0415  (only if a test uses it)

    yield from _written_once(tmp_path_factory, "tiny_elmo", partial(write_elmo, form=elmo_form))


@pytest.fixture
def bert_faults(request: pytest.FixtureRequest, bert_form: str, tiny_bert: Path, tmp_path: Path) -> BrokenModel:
    """Return a broken BERT; the test runs once for each of `safeload.testing.BERT_FAULTS` that the form `bert_form` can have."""
    from safeload import testing  # noqa: PLC0415  (only if a test uses it)

    fault = testing.bert_faults(bert_form).get(request.param)
    if fault is None:
        pytest.skip(f"a BERT in the form {bert_form} cannot have this fault")
    return _broken(request.param, tiny_bert, tmp_path / "broken_bert", fault.spoil, fault.error)


@pytest.fixture
def elmo_faults(request: pytest.FixtureRequest, elmo_form: str, tiny_elmo: Path, tmp_path: Path) -> BrokenModel:
    """Return a broken ELMo; the test runs once for each of `safeload.testing.ELMO_FAULTS` that the form `elmo_form` can have."""
    from safeload import testing  # noqa: PLC0415  (only if a test uses it)

    fault = testing.elmo_faults(elmo_form).get(request.param)
    if fault is None:
        pytest.skip(f"an ELMo in the form {elmo_form} cannot have this fault")
    return _broken(request.param, tiny_elmo, tmp_path / "broken_elmo", fault.spoil, fault.error)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes `bert_faults` or `elmo_faults` once for each fault."""
    for fixture, catalogue in (("bert_faults", "BERT_FAULTS"), ("elmo_faults", "ELMO_FAULTS")):
        if fixture in metafunc.fixturenames:
            from safeload import testing  # noqa: PLC0415  (only if a test uses it)

            names = list(getattr(testing, catalogue))
            metafunc.parametrize(fixture, names, ids=[name.replace(" ", "-") for name in names], indirect=True)


def _written_once(factory: pytest.TempPathFactory, name: str, write: Callable[[Path], Path]) -> Iterator[Path]:
    folder = write(factory.mktemp("models") / name)
    for path in filter(Path.is_file, folder.rglob("*")):
        path.chmod(0o444)
    written = _contents(folder)
    yield folder
    if _contents(folder) != written:  # the read-only mode stops neither root nor a removal
        pytest.fail(f"a test changed {name}, which the tests of a session share: copy the folder, and change the copy")


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _broken(
    name: str, model: Path, folder: Path, spoil: Callable[[Path], object], error: type[SafeLoadError]
) -> BrokenModel:
    shutil.copytree(model, folder)
    for path in filter(Path.is_file, folder.rglob("*")):
        path.chmod(0o644)
    spoil(folder)
    return BrokenModel(name, folder, error)
