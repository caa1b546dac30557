"""What is measured beside what."""

from __future__ import annotations

import importlib.util
import os
import shutil
from dataclasses import dataclass

import models
from sides.tensors import CONVERTER

WRITERS = {
    "safetensors": "write_safetensors",
    "load_state_dict": "write_safetensors",
    "load_state_dict_locked": "write_safetensors",
    "saved_model": "write_module",
    "check_signed": "write_signature",
    "load_expected_outputs": "write_outputs",
}
"""Side -> the side that writes what it reads, once and not measured."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Sides that are measured together.

    Attributes:
        title: What is measured.
        model: One of models.MODELS.
        ours: The sides that call safeload; this and the next two are names of functions in `sides`.
        peers: The sides that do the same with another library.
        limits: The sides that do only what cannot be left out: read the bytes, hash them, build the layers.
        max_rounds: How often they take turns at most, where one of them takes minutes.
    """

    title: str
    model: str
    ours: tuple[str, ...]
    peers: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    max_rounds: int = 100

    @property
    def sides(self) -> tuple[str, ...]:
        """Return all of them, in the order in which they take turns."""
        return (*self.ours, *self.peers, *self.limits)

    @property
    def against(self) -> str:
        """Return the side that the others are divided by; without any other, safeload's first."""
        return (*self.peers, *self.limits, *self.ours)[0]

    def kind_of(self, side: str) -> str:
        """Return what a side is."""
        return "safeload" if side in self.ours else "peer" if side in self.peers else "limit"


def groups() -> list[Group]:
    """Return what can be measured here."""
    return [*into_keras_bert(), *of_files(), *of_elmo(), *into_libraries_of_today(), *of_trees(), *of_forms()]


def into_keras_bert() -> list[Group]:
    """Return the loads of a BERT that keras-bert makes too, and the checks."""
    found = []
    for model in ("BERT-Base", "BERT-Large"):
        peers, limits = ("keras_bert", "tensorflow_restore", "safetensors"), ("keras_bert_graph", "raw_read")
        found += [
            Group(title="load", model=model, ours=("load_bert",), peers=peers, limits=limits),
            Group(title="check", model=model, ours=("check_bert",), limits=("raw_scan",)),
        ]
    processes = ("process_check_bert",), ("process_import_tensorflow",)
    found.append(Group(title="process", model="BERT-Base", ours=processes[0], peers=processes[1]))
    for layers in models.LAYERS:
        model = f"BERT of {layers} layers"
        found.append(Group(title="load", model=model, ours=("load_bert",), peers=("keras_bert",)))
    return found


def of_files() -> list[Group]:
    """Return what is done with the tensors of a file, whatever their model is."""
    converter = ("process_convert_transformers",) if os.environ.get(CONVERTER) else ()
    found = [
        Group(title="state dict", model="BERT-Base", ours=("load_state_dict",), peers=("safetensors_torch",)),
        Group(title="locked state dict", model="BERT-Base", ours=("load_state_dict_locked",), limits=("sha256sum",)),
        Group(title="convert", model="BERT-Base", ours=("save_converted",), limits=("copy_files",)),
    ]
    if converter:
        found.append(
            Group(
                title="convert in a process",
                model="BERT-Base",
                ours=("process_convert",),
                peers=converter,
                max_rounds=3,
            )
        )
    if importlib.util.find_spec("model_signing"):
        verify = ("verify_signature",)
        found.append(
            Group(title="check", model=models.SIGNED, ours=("check_signed",), peers=verify, limits=("sha256sum",))
        )
    return found


def of_elmo() -> list[Group]:
    """Return what is done with an ELMo; without AllenNLP, what needs none."""
    upstream = ("allennlp",) if importlib.util.find_spec("allennlp") else ()
    backends = ("torch", "keras", *upstream)
    loads, forwards = tuple(f"load_elmo_{backend}" for backend in backends), ("forward_torch", "forward_keras")
    embedders, processes = ("embed_elmo", "embed_elmo_sorted"), ("process_check_elmo", "process_load_elmo")

    def peers(prefix: str) -> tuple[str, ...]:
        return tuple(f"{prefix}_{name}" for name in upstream)

    return [
        Group(title="load", model="ELMo", ours=loads, peers=upstream, limits=("raw_read",)),
        Group(title="forward", model="ELMo", ours=forwards, peers=peers("forward")),
        Group(title="check", model="ELMo", ours=("check_elmo",), limits=("raw_scan",)),
        Group(title="load", model=models.TF_HUB, ours=("load_elmo_text",), peers=("saved_model",)),
        Group(title="save", model="ELMo", ours=("save_elmo",), limits=("raw_write",)),
        Group(title="embed", model="ELMo", ours=embedders, peers=peers("embed")),
        Group(title="process", model="ELMo", ours=processes, peers=peers("process"), limits=("process_import_torch",)),
    ]


def into_libraries_of_today() -> list[Group]:
    """Return the loads of a BERT that transformers and KerasHub make too."""
    if not importlib.util.find_spec("keras_hub"):
        return []
    model = "BERT-Base as safetensors"
    return [
        Group(
            title="into transformers",
            model=model,
            ours=("load_transformers", "load_google_transformers", "load_expected_outputs"),
            peers=("from_pretrained", "from_pretrained_read"),
            limits=("build_transformers", "raw_read"),
        ),
        Group(
            title="process",
            model=model,
            ours=("process_load_transformers",),
            peers=("process_from_pretrained",),
            limits=("process_import_transformers",),
        ),
        Group(
            title="into KerasHub",
            model=model,
            ours=("load_keras_hub",),
            peers=("from_preset",),
            limits=("build_keras_hub", "raw_read"),
        ),
    ]


def of_trees() -> list[Group]:
    """Return a check of many models, and one at an address."""
    scanners = tuple(name for name in ("modelaudit", "modelscan") if shutil.which(name))
    tree = Group(
        title="check", model=models.TREE, ours=("check_tree",), peers=scanners, limits=("raw_scan",), max_rounds=1
    )
    found = [tree]
    if importlib.util.find_spec("requests"):
        found.append(
            Group(title="check at an address", model="BERT-Base", ours=("check_address",), limits=("download",))
        )
    return found


def of_forms() -> list[Group]:
    """Return the loads and checks of the same BERT in each other form."""
    found = []
    for model in models.IN_FORMS:
        found += [
            Group(title="load", model=model, ours=("load_bert",), peers=("load_google",), max_rounds=3),
            Group(title="check", model=model, ours=("check_bert",), limits=("raw_scan",), max_rounds=3),
            Group(title="cold check", model=model, ours=("cold_check_bert",), limits=("cold_scan",), max_rounds=3),
        ]
    return found
