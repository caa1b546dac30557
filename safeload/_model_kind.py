"""What a load is asked for, what differs between models, and what the first four steps return.

The dataclasses here generate only `__init__`: no code compares or prints them, and each generated method makes the first call of
a process slower.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from safeload._bytes.files import FileRef, Source
    from safeload._forms.weight_file import StoredTensor, WeightFile, WeightPlace
    from safeload._naming import Naming
    from safeload._suspicion import Marks
    from safeload.report import LoadReport, Problem, TensorSpec


class HasPath(Protocol):
    """A validated config with the path of its file."""

    @property
    def path(self) -> str:
        """The absolute path."""


Config = TypeVar("Config", bound=HasPath)
Stored: TypeAlias = "Callable[[str], StoredTensor | None]"


class Request(NamedTuple):
    """The arguments of a load or check that select files and tensors, as the caller passed them.

    Attributes:
        config: The config or options file, or a folder.
        weights: The weights; None for those beside the config.
        vocab: The vocabulary; None for the one beside the config.
        base_dir: The base of relative paths.
        ignore_unused: Patterns of unexpected tensors to ignore.
        lock_file: The lock file; None for those beside the config and beside the weights.
        signature: The signature; None for none.
        signed_by: The trusted key or certificates.
        cache_dir: Where objects at addresses are kept; None for nowhere.
    """

    config: object
    weights: object = None
    vocab: object = None
    base_dir: object = None
    ignore_unused: object = ()
    lock_file: object = None
    signature: object = None
    signed_by: object = None
    cache_dir: object = None


class Places(NamedTuple):
    """The result of the first step: the files to read.

    Attributes:
        config: The config; a folder where it has none and needs none.
        weights: The weights.
        vocab: The vocabulary; None if there is none.
    """

    config: FileRef
    weights: WeightPlace
    vocab: FileRef | None = None


class Clock:
    """The duration of each step in seconds."""

    def __init__(self) -> None:
        """Start without steps."""
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure a step; repeated measurements of the same step are added up."""
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


@dataclass(kw_only=True, eq=False, repr=False)
class Mismatch(Generic[Config]):
    """A comparison that found problems; input for hints.

    Attributes:
        problems: Everything that does not fit.
        expected: Parameter -> spec according to the config.
        found: Parameter, or stored name without scope -> stored spec.
        weights: The weight file.
        config: The config.
        faults: Name, without the scope, -> what is wrong with a tensor that `problems` lists.
    """

    problems: list[Problem]
    expected: Mapping[str, TensorSpec]
    found: Mapping[str, TensorSpec]
    weights: WeightFile
    config: Config
    faults: Mapping[str, str] = field(default_factory=dict)


@dataclass(kw_only=True, eq=False, repr=False)
class ModelKind(Generic[Config]):
    """What differs between models in the first four steps.

    Attributes:
        model: "BERT" or "ELMo".
        config_word: The name of the config in messages.
        example_pattern: An example of an `ignore_unused` pattern, for messages.
        find_config: Finds the config by a source; raises if it is missing or another kind of file.
        weights_folder: Returns the folder of weights that were passed; None if none were. Its second argument opens the config.
        find_others: Finds the other files; those not given are expected beside the config.
        read: Reads config and vocabulary and compares them with the arguments; returns the config, notes
            and warnings.
        list_parameters: Lists the model's parameters, as the naming has them and where they depend on it as the file has them:
            name -> shape, dtype and the config key of each size.
        recognise: Returns the naming and scope of a weight file, and of each other scope that was not left out by the caller's
            choice a tensor's stored name; raises if the file belongs to another model.
        hints: Returns hints about weights that do not fit.
        unverified: Returns the settings that no weight file can confirm.
        unused_keys: Returns the keys of the config that have no effect on the model.
        adapted: Returns the config with the settings that are taken from the weights and their naming instead, and notes;
            its last argument gives the stored tensor of a parameter, or None.
        agreed: Requires that what a weight file says about its model agrees with the config; returns the config and warnings.
        activation: Returns the activation that the model is built with, as the report names it.
        n_heads: Returns the number of attention heads; 0 if the model has none.
        outputs_first: Whether the builder wants the kernels in memory with the outputs first, as their transposes are.
        marks: What the values of the parameters show.
    """

    model: str
    config_word: str
    example_pattern: str
    find_config: Callable[[Request, Source], FileRef]
    weights_folder: Callable[[Request, Source], FileRef | None]
    find_others: Callable[[Request, FileRef], Places]
    read: Callable[[Places], tuple[Config, list[str], list[str]]]
    list_parameters: Callable[[Config, Naming, Stored], Mapping[str, TensorSpec]]
    recognise: Callable[[WeightFile], tuple[Naming, str, Mapping[str, str]]]
    hints: Callable[[Mismatch[Config]], list[str]]
    unverified: Callable[[Config], dict[str, object]]
    unused_keys: Callable[[Config], list[str]] = lambda config: []  # noqa: ARG005
    adapted: Callable[[Config, Naming, Stored], tuple[Config, list[str]]] = lambda config, *_: (config, [])
    agreed: Callable[[Config, Naming, WeightFile], tuple[Config, list[str]]] = lambda config, *_: (config, [])
    activation: Callable[[Config], str] = lambda config: ""  # noqa: ARG005
    n_heads: Callable[[Config], int] = lambda config: 0  # noqa: ARG005
    outputs_first: bool = False
    marks: Marks


@dataclass(kw_only=True, eq=False, repr=False)
class Checked(Generic[Config]):
    """The result of the first four steps: weights that fit the config.

    Attributes:
        config: The validated config.
        files: (role, path) of each file of the weights.
        values: Canonical name -> verified values; empty unless they were kept.
        clock: The durations so far.
        report: The report so far.
    """

    config: Config
    files: list[tuple[str, str]]
    values: dict[str, NDArray[Any]]
    clock: Clock
    report: LoadReport
