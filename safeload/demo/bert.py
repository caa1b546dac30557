"""A tiny real BERT: TensorFlow writes its checkpoint, safeload loads it in every form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safeload
from safeload.bert._config import validate_config
from safeload.bert._variables import list_variables
from safeload.demo._show import cut_in_half, show_faults, show_files, write_lfs_pointer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

CONFIG = {
    "vocab_size": 30,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 32,
    "hidden_act": "gelu",
    "max_position_embeddings": 20,
    "type_vocab_size": 2,
}
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "bad", "film", "good", "plot"]
NAME = "bert_model.ckpt"
SHARD = f"{NAME}.data-00000-of-00001"


def run(folder: Path, show: Callable[[str], None]) -> None:
    """Show what loads and what does not, one paragraph each."""
    folder = folder / "uncased_tiny"
    folder.mkdir()
    write_bert(folder)
    show_files("TensorFlow wrote a tiny BERT checkpoint:", folder, show)
    show_forms(folder, show)
    show_faults(folder, FAULTS, lambda broken: safeload.load_bert(broken, broken / NAME), show)


def write_bert(folder: Path, config: Mapping[str, Any] = CONFIG) -> None:
    """Write config, vocabulary and a checkpoint of random values, the heads among them, with TensorFlow."""
    import tensorflow as tf  # noqa: PLC0415  (not for `safeload --help`)

    more = [f"word{number}" for number in range(config["vocab_size"] - len(TOKENS))]
    (folder / "bert_config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    (folder / "vocab.txt").write_text("\n".join([*TOKENS, *more]) + "\n", encoding="utf-8")
    tensors = random_tensors(config)
    tf.raw_ops.SaveV2(
        prefix=str(folder / NAME),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=list(tensors.values()),
    )


def random_tensors(config: Mapping[str, Any] = CONFIG, *, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Return random values, of the size that BERT's have, for every variable that keras-bert reads."""
    import numpy as np  # noqa: PLC0415  (not for `safeload --help`)

    random = np.random.default_rng(seed)
    tensors = {}
    for name, row in list_variables(validate_config(config, path="demo"), training=True).items():
        noise = random.standard_normal(row.spec.shape, np.float32) * np.float32(0.02)
        tensors[name] = noise + np.float32(1) if name.endswith("gamma") else noise
    return tensors


def show_forms(folder: Path, show: Callable[[str], None]) -> None:
    """Load the checkpoint by each form of its path."""
    import numpy as np  # noqa: PLC0415  (not for `safeload --help`)

    show("\nEvery form of its path loads the same model:")
    prefix = folder / NAME
    inputs = [np.array([[2, 7, 8, 3, *([0] * 16)]]), np.zeros((1, 20))]
    first = None
    for given in (prefix, f"{prefix}.index", folder / SHARD, f"{prefix}.meta", folder):
        model = safeload.load_bert(folder, given)
        report = safeload.report_of(model)
        output = model(inputs).numpy()
        first = output if first is None else first
        same = "equal outputs" if np.array_equal(first, output) else "OTHER OUTPUTS"
        show(f"  {Path(given).name:<36} {report.form:<28} {len(report.read)} variables, {same}")
    show(f"\nThe report of the last one:\n{report}")


def _edit_config(folder: Path, **changes: int) -> None:
    (folder / "bert_config.json").write_text(json.dumps({**CONFIG, **changes}), encoding="utf-8")


def _flip_a_bit(folder: Path) -> None:
    data = bytearray((folder / SHARD).read_bytes())
    data[1000] ^= 1
    (folder / SHARD).write_bytes(data)


FAULTS: tuple[tuple[str, Callable[[Path], object]], ...] = (
    ("the data shard was never copied", lambda folder: (folder / SHARD).unlink()),
    ("the download was cut off", lambda folder: cut_in_half(folder / SHARD)),
    ("one bit of the weights flipped", _flip_a_bit),
    ("the repository was cloned without Git LFS", lambda folder: write_lfs_pointer(folder / SHARD)),
    (
        "the config is of another vocabulary and has a layer less",
        lambda folder: _edit_config(folder, vocab_size=31, num_hidden_layers=1),
    ),
    ("the config says 5 attention heads", lambda folder: _edit_config(folder, num_attention_heads=5)),
)
