"""What is measured: each side imports what it needs, and returns the call that is timed, once, in a process of its own.

`python benchmarks/sides.py SIDE FOLDER` prints one sample as JSON: seconds, and the growth of the process's largest size in
sizes of the weights.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models import ELMO, GOOGLES, form_of, weight_files

if TYPE_CHECKING:
    from collections.abc import Callable

    Call = Callable[[], object]

N_BLOCK_BYTES = 1 << 20
SENTENCES = [[f"word{row * 31 + position}" for position in range(30)] for row in range(32)]
BATCH = [[f"word{row * 31 + position}" for position in range(20 + row % 21)] for row in range(63)]
"""Sentences of 20 to 40 words, each length three times."""


def raw_read(folder: Path) -> Call:
    """Read the weights' bytes and keep them: the floor of a load."""
    return lambda: [path.read_bytes() for path in weight_files(folder)]


def raw_scan(folder: Path) -> Call:
    """Read the weights' bytes once into one block that is used again: the floor of a check."""
    block = memoryview(bytearray(N_BLOCK_BYTES))

    def scan() -> None:
        for path in weight_files(folder):
            with path.open("rb", buffering=0) as file:
                while file.readinto(block):
                    pass

    return scan


def cold_scan(folder: Path) -> Call:
    """The same from a disk whose pages are not in memory."""
    return _after_dropping_pages(folder, raw_scan(folder))


def cold_check_bert(folder: Path) -> Call:
    """safeload's check from a disk whose pages are not in memory."""
    return _after_dropping_pages(folder, check_bert(folder))


def load_google(folder: Path) -> Call:
    """safeload, the same model from Google's checkpoint."""
    return load_bert(folder / GOOGLES)


def load_bert(folder: Path) -> Call:
    """safeload, every check."""
    import safeload

    _keras_bert()
    return lambda: safeload.load_bert(folder)


def load_transformers(folder: Path) -> Call:
    """safeload, the same weights into transformers' BertModel."""
    import safeload

    _bert_of_transformers()
    return lambda: safeload.load_bert(folder, backend="transformers")


def load_google_transformers(folder: Path) -> Call:
    """safeload, from Google's checkpoint into transformers' BertModel."""
    return load_transformers(folder / GOOGLES)


def from_pretrained(folder: Path) -> Call:
    """transformers' own loader, which checks no value."""
    bert = _bert_of_transformers()
    return lambda: bert.from_pretrained(folder)


def from_pretrained_read(folder: Path) -> Call:
    """The same, which maps the file, with every value then tested and copied to memory of its own."""
    import torch

    bert = _bert_of_transformers()

    def load() -> object:
        model = bert.from_pretrained(folder)
        for parameter in model.parameters():
            if not torch.isfinite(parameter).all():
                raise ValueError
            parameter.data = parameter.data.clone()
        return model

    return load


def load_keras_hub(folder: Path) -> Call:
    """safeload, from Google's checkpoint into KerasHub's BertBackbone."""
    import safeload

    _keras_hub()
    return lambda: safeload.load_bert(folder / GOOGLES, backend="keras-hub")


def from_preset(folder: Path) -> Call:
    """KerasHub's own loader, from Hugging Face's files."""
    keras_hub = _keras_hub()
    return lambda: keras_hub.models.BertBackbone.from_preset(str(folder), load_weights=True)


def process_load_transformers(folder: Path) -> Call:
    """A whole process that loads into transformers' BertModel."""
    return _process(f"import safeload; safeload.load_bert({str(folder)!r}, backend='transformers')")


def process_from_pretrained(folder: Path) -> Call:
    """A whole process that loads with transformers' own loader."""
    return _process(f"from transformers import BertModel; BertModel.from_pretrained({str(folder)!r})")


def process_import_transformers(folder: Path) -> Call:  # noqa: ARG001
    """A whole process that imports transformers' BertModel and does nothing."""
    return _process("from transformers import BertModel")


def keras_bert(folder: Path) -> Call:
    """keras-bert's own loader."""
    upstream = _keras_bert()
    config, prefix = str(folder / "bert_config.json"), str(folder / "bert_model.ckpt")
    return lambda: upstream.load_trained_model_from_checkpoint(config, prefix)


def keras_bert_graph(folder: Path) -> Call:
    """keras-bert's graph alone: no initialisers, no AutoGraph, no weights; counters, which are made without a shape, are as ever."""
    import tensorflow as tf

    upstream = _keras_bert()
    build = tf.autograph.experimental.do_not_convert(upstream.loader.build_model_from_config)

    def creator(following: Callable[..., Any], **options: Any) -> Any:
        shape, dtype = options["shape"], options["dtype"]
        if shape is not None:
            options["initial_value"] = lambda: tf.raw_ops.Empty(shape=shape, dtype=dtype)
        return following(**options)

    def run() -> object:
        with tf.variable_creator_scope(creator):
            return build(str(folder / "bert_config.json"))

    return run


def tensorflow_restore(folder: Path) -> Call:
    """TensorFlow's own reader, every variable."""
    import tensorflow as tf

    def restore() -> object:
        reader = tf.train.load_checkpoint(str(folder / "bert_model.ckpt"))
        return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}

    return restore


def safetensors(folder: Path) -> Call:
    """The same values from a safetensors file."""
    from safetensors.numpy import load_file

    return lambda: load_file(folder / "model.safetensors")


def load_state_dict(folder: Path) -> Call:
    """safeload, the tensors of a safetensors file, every check."""
    import torch  # noqa: F401  (which the call would import)

    import safeload

    return lambda: safeload.load_state_dict(folder / "model.safetensors", framework="torch")


def safetensors_torch(folder: Path) -> Call:
    """The same tensors by their library, and one pass over their values."""
    from safetensors.torch import load_file

    return lambda: [float(values.sum()) for values in load_file(folder / "model.safetensors").values()]


def load_state_dict_locked(folder: Path) -> Call:
    """safeload, the tensors of a safetensors file that a lock proves."""
    import torch  # noqa: F401  (which the call would import)

    import safeload
    from safeload.lock import lock_text, make_lock

    path = folder / "weights.lock"
    report = safeload.check_weights(folder / "model.safetensors")
    path.write_text(lock_text(make_lock(report, path)), encoding="utf-8")
    return lambda: safeload.load_state_dict(folder / "model.safetensors", framework="torch", lock_file=path)


def sha256sum(folder: Path) -> Call:
    """The SHA-256 of the same bytes."""
    command = [shutil.which("sha256sum") or "sha256sum", folder / "model.safetensors"]
    return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def write_safetensors(folder: Path) -> Call:
    """Write the values of a checkpoint as a safetensors file: not measured, but needed by the side above."""
    from safetensors.numpy import save_file

    restore: Any = tensorflow_restore(folder)
    return lambda: save_file(restore(), folder / "model.safetensors")


def check_bert(folder: Path) -> Call:
    """safeload's check, every checksum."""
    import safeload
    from safeload import testing

    with tempfile.TemporaryDirectory() as name:  # what a check imports is not a part of what is timed
        safeload.check_bert(testing.write_bert(name, form=form_of(folder)))
    return lambda: safeload.check_bert(folder, training=True)


def check_elmo(folder: Path) -> Call:
    """safeload's check, every dataset."""
    import safeload
    import safeload._forms.hdf5.file
    import safeload.elmo._model

    return lambda: safeload.check_elmo(folder)


def process_check_bert(folder: Path) -> Call:
    """A whole process that checks."""
    return _process(f"import safeload; safeload.check_bert({str(folder)!r}, training=True)")


def process_check_elmo(folder: Path) -> Call:
    """A whole process that checks."""
    return _process(f"import safeload; safeload.check_elmo({str(folder)!r})")


def process_load_elmo(folder: Path) -> Call:
    """A whole process that loads an ELMo without AllenNLP."""
    return _process(f"import safeload; safeload.load_elmo({str(folder)!r}, backend='torch')")


def process_allennlp(folder: Path) -> Call:
    """A whole process that loads an ELMo with AllenNLP's own Elmo."""
    files = f"{str(folder / 'options.json')!r}, {str(folder / 'weights.hdf5')!r}"
    return _process(f"from allennlp.modules.elmo import Elmo; Elmo({files}, 1)")


def process_import_tensorflow(folder: Path) -> Call:  # noqa: ARG001  (each side takes one)
    """A whole process that imports TensorFlow and does nothing."""
    return _process("import tensorflow")


def process_import_torch(folder: Path) -> Call:  # noqa: ARG001
    """A whole process that imports torch and does nothing."""
    return _process("import torch")


def load_elmo_torch(folder: Path) -> Call:
    """safeload, its own torch module."""
    return _load_elmo("torch", folder)


def load_elmo_keras(folder: Path) -> Call:
    """safeload, its Keras layer."""
    return _load_elmo("keras", folder)


def load_elmo_allennlp(folder: Path) -> Call:
    """safeload, AllenNLP's module."""
    return _load_elmo("allennlp", folder)


def load_elmo_text(folder: Path) -> Call:
    """safeload, its Keras layer that has the outputs of TF-Hub's module."""
    import tensorflow as tf

    from safeload.keras import ElmoText

    tf.zeros(1)
    return lambda: ElmoText(folder)


def saved_model(folder: Path) -> Call:
    """TensorFlow's own loader of a module, and the first call, which reads the variables."""
    import tensorflow as tf

    tf.zeros(1)
    return lambda: tf.saved_model.load(str(folder)).signatures["serving_default"](tf.constant(["a"]))


def write_module(folder: Path) -> Call:
    """Write a module as TensorFlow 1 does: not measured, but needed by the side above."""
    os.environ.setdefault("TF_USE_LEGACY_KERAS", str(int(importlib.util.find_spec("tf_keras") is not None)))
    sys.path.insert(0, str(Path(__file__).parent.parent))
    import tensorflow as tf

    from tests.elmo.module_graph import save_module

    sizes = {"n_layers": ELMO["layers"], "dim": ELMO["dim"], "projection_dim": ELMO["projection"]}
    characters = {"filters": ELMO["filters"], "n_highway": ELMO["highways"], "embedding": {"dim": ELMO["char_dim"]}}
    options = {
        "lstm": {**sizes, "cell_clip": 3, "proj_clip": 3, "use_skip_connections": True},
        "char_cnn": {**characters, "activation": "relu", "max_characters_per_token": 50, "n_characters": 262},
    }

    def write() -> None:
        save_module(tf, folder, options)
        (folder / "options.json").write_text(json.dumps(options), encoding="utf-8")

    return write


def allennlp(folder: Path) -> Call:
    """AllenNLP's own Elmo."""
    from allennlp.modules.elmo import Elmo

    return lambda: Elmo(str(folder / "options.json"), str(folder / "weights.hdf5"), 1)


def forward_torch(folder: Path) -> Call:
    """32 sentences of 30 words through safeload's torch module."""
    return _torch_forward(load_elmo_torch(folder)())


def forward_allennlp(folder: Path) -> Call:
    """32 sentences of 30 words through AllenNLP's module."""
    return _torch_forward(allennlp(folder)())


def embed_elmo(folder: Path) -> Call:
    """BATCH through safeload's ElmoEmbedder."""
    embedder = _embedder(folder)
    return lambda: embedder.embed_batch(BATCH)


def embed_elmo_sorted(folder: Path) -> Call:
    """The same sentences in three batches, each of sentences of about one length."""
    embedder, ordered = _embedder(folder), sorted(BATCH, key=len)
    return lambda: [embedder.embed_batch(ordered[start : start + 21]) for start in range(0, len(ordered), 21)]


def embed_allennlp(folder: Path) -> Call:
    """BATCH through AllenNLP's biLM, as the ElmoEmbedder of AllenNLP 0.9 ran it."""
    from allennlp.modules.elmo import _ElmoBiLm, batch_to_ids
    from allennlp.nn.util import remove_sentence_boundaries

    bilm = _ElmoBiLm(str(folder / "options.json"), str(folder / "weights.hdf5"))
    bilm(batch_to_ids([["word"]]))

    def embed() -> object:
        output = bilm(batch_to_ids(BATCH))
        return [remove_sentence_boundaries(layer, output["mask"]) for layer in output["activations"]]

    return embed


def save_elmo(folder: Path) -> Call:
    """Save safeload's torch module."""
    import safeload
    import safeload.elmo._saving
    import safeload.elmo.builders.torch_read

    module = load_elmo_torch(folder)()
    return lambda: safeload.save_elmo(module, folder / "saved", overwrite=True)


def save_converted(folder: Path) -> Call:
    """Convert Google's files to safetensors, which are read back and compared."""
    import safeload
    from safeload import testing

    with tempfile.TemporaryDirectory() as name:  # what a conversion imports is not a part of what is timed
        safeload.convert(testing.write_bert(f"{name}/tiny"), f"{name}/converted", form="safetensors")
    return lambda: safeload.convert(folder, folder / "converted", form="safetensors", overwrite=True)


def copy_files(folder: Path) -> Call:
    """Copy the bytes with cp, which does not bring them to the disk."""
    (folder / "copied").mkdir(exist_ok=True)
    return lambda: subprocess.run(["cp", *weight_files(folder), folder / "copied"], check=True)  # noqa: S607  (the system's own)


def raw_write(folder: Path) -> Call:
    """Write as many bytes to the disk, and read them: the floor of saving."""
    data = b"".join(path.read_bytes() for path in weight_files(folder))

    def write() -> object:
        with (folder / "raw").open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        content = (folder / "raw").read_bytes()
        (folder / "raw").unlink()
        return content

    return write


def forward_keras(folder: Path) -> Call:
    """32 sentences of 30 words through safeload's Keras layer, as `predict` runs it."""
    import tensorflow as tf

    from safeload.elmo._characters import ids_of

    layer, ids = tf.function(load_elmo_keras(folder)()), tf.constant(ids_of(SENTENCES), tf.int32)
    layer(ids)
    return lambda: layer(ids)


def _after_dropping_pages(folder: Path, call: Call) -> Call:
    for path in weight_files(folder):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return call


def _keras_bert() -> Any:
    from safeload._frameworks.tensorflow import require_keras_bert

    require_keras_bert().tf.zeros(1)
    import keras_bert as upstream

    return upstream


def _bert_of_transformers() -> Any:
    from transformers import BertModel

    return BertModel


def _keras_hub() -> Any:
    import keras_hub
    import tensorflow as tf

    tf.zeros(1)
    return keras_hub


def _load_elmo(backend: str, folder: Path) -> Call:
    import safeload

    if backend == "keras":
        import tensorflow as tf

        import safeload.keras

        tf.zeros(1)
    else:
        import torch

        torch.zeros(1)
    if backend == "allennlp":
        import allennlp.modules.elmo  # noqa: F401  (not a part of what is timed)
    return lambda: safeload.load_elmo(folder, backend=backend)


def _embedder(folder: Path) -> Any:
    from safeload.compat.allennlp import ElmoEmbedder

    embedder = ElmoEmbedder(folder)
    embedder.embed_sentence(["word"])
    return embedder


def _torch_forward(module: Any) -> Call:
    import torch

    import safeload

    module.eval()
    ids = safeload.character_ids(SENTENCES)

    def forward() -> object:
        with torch.no_grad():
            return module(ids)

    forward()
    return forward


def _process(code: str) -> Call:
    return lambda: subprocess.run([sys.executable, "-c", code], check=True, stderr=subprocess.DEVNULL)


def sample(side: str, folder: Path) -> dict[str, float]:
    """Time one call of a side."""
    call = globals()[side](folder)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew, at the present size
    before, start = _peak_bytes(), time.perf_counter()
    result = call()
    seconds, grown = time.perf_counter() - start, _peak_bytes() - before
    del result
    return {"seconds": seconds, "memory": grown / sum(path.stat().st_size for path in weight_files(folder))}


def _peak_bytes() -> int:
    """Return the largest resident size; not `ru_maxrss`, which a new process takes over from the one that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    print(json.dumps(sample(sys.argv[1], Path(sys.argv[2]))))
