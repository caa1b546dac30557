"""The tensors of a file, conversion, locks and signatures."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from models import safetensors_of

from sides.keras_bert import tensorflow_restore
from sides.process import process

if TYPE_CHECKING:
    from pathlib import Path

    from sides.process import Call

CONVERTER = "SAFELOAD_BENCH_TRANSFORMERS_4_49"
"""The environment variable that names a Python with transformers 4.49, torch and TensorFlow."""

THEIRS = """
import os, sys
from transformers import BertConfig, BertForPreTraining
from transformers.models.bert.modeling_bert import load_tf_weights_in_bert
source, target = sys.argv[1:]
model = BertForPreTraining(BertConfig.from_json_file(os.path.join(source, "bert_config.json")))
load_tf_weights_in_bert(model, model.config, os.path.join(source, "bert_model.ckpt"))
model.save_pretrained(target)
"""


def safetensors(folder: Path) -> Call:
    """The same values from a safetensors file."""
    from safetensors.numpy import load_file

    return lambda: load_file(safetensors_of(folder))


def load_state_dict(folder: Path) -> Call:
    """safeload, the tensors of a safetensors file, every check."""
    import torch  # noqa: F401  (which the call would import)

    import safeload

    return lambda: safeload.load_state_dict(safetensors_of(folder), framework="torch")


def safetensors_torch(folder: Path) -> Call:
    """The same tensors by their library, and one pass over their values."""
    from safetensors.torch import load_file

    return lambda: [float(values.sum()) for values in load_file(safetensors_of(folder)).values()]


def load_state_dict_locked(folder: Path) -> Call:
    """safeload, the tensors of a safetensors file that a lock proves."""
    import torch  # noqa: F401  (which the call would import)

    import safeload
    from safeload.lock import lock_text, make_lock

    weights = safetensors_of(folder)
    path = weights.with_name("weights.lock")
    path.write_text(lock_text(make_lock(safeload.check_weights(weights), path)), encoding="utf-8")
    return lambda: safeload.load_state_dict(weights, framework="torch", lock_file=path)


def write_safetensors(folder: Path) -> Call:
    """Write the values of a checkpoint as a safetensors file: not measured, but needed by the side above."""
    from safetensors.numpy import save_file

    restore: Any = tensorflow_restore(folder)
    target = safetensors_of(folder)
    target.parent.mkdir(exist_ok=True)
    return lambda: save_file(restore(), target)


def save_converted(folder: Path) -> Call:
    """Convert Google's files to safetensors, which are read back and compared."""
    import safeload
    from safeload import testing

    with tempfile.TemporaryDirectory() as name:  # what a conversion imports is not a part of what is timed
        safeload.convert(testing.write_bert(f"{name}/tiny"), f"{name}/converted", form="safetensors")
    return lambda: safeload.convert(folder, folder / "converted", form="safetensors", overwrite=True)


def process_convert(folder: Path) -> Call:
    """A whole process that converts Google's files to safetensors."""
    return process(
        f"import safeload; safeload.convert({str(folder)!r}, {str(folder / 'converted')!r}, form='safetensors', overwrite=True)"
    )


def process_convert_transformers(folder: Path) -> Call:
    """The same with transformers 4.49, which reads with TensorFlow into a torch model, and saves that."""
    command = [os.environ[CONVERTER], "-c", THEIRS, folder, folder / "by transformers"]
    environment = {**os.environ, "TF_USE_LEGACY_KERAS": "1"}
    return lambda: subprocess.run(command, check=True, capture_output=True, env=environment)


def write_signature(folder: Path) -> Call:
    """Sign the files: not measured, but needed by the sides below."""
    keys = _keys(folder)
    keys.mkdir()
    make = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(keys / "key.pem")]
    lock = [sys.executable, "-m", "safeload", "lock", str(folder)]
    show = ["openssl", "ec", "-in", str(keys / "key.pem"), "-pubout", "-out", str(keys / "key.pub")]

    def write() -> None:
        subprocess.run(make, check=True, capture_output=True)
        subprocess.run(show, check=True, capture_output=True)
        subprocess.run([*lock, "--sign", str(keys / "key.pem")], check=True, capture_output=True)

    return write


def check_signed(folder: Path) -> Call:
    """safeload, every check, and the digests that were signed."""
    import safeload
    from safeload._frameworks.signing import require_signing

    signed = {"signature": folder / "model.sig", "signed_by": _keys(folder) / "key.pub"}
    with tempfile.TemporaryDirectory() as name:  # what a check imports is not a part of what is timed
        _ = safeload.check_bert(safeload.testing.write_bert(name, form="safetensors"))
    require_signing()
    return lambda: safeload.check_bert(folder, **signed)


def verify_signature(folder: Path) -> Call:
    """model-signing's own verification, which reads no tensor."""
    from model_signing import verifying

    key = _keys(folder) / "key.pub"
    config = verifying.Config().use_elliptic_key_verifier(public_key=key)
    return lambda: config.verify(folder, folder / "model.sig")


def _keys(folder: Path) -> Path:
    return folder.with_name(f"keys of {folder.name}")
