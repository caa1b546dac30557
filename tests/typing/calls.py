"""The calls, and what comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from typing_extensions import assert_type

import safeload

assert_type(safeload.check_bert("models/uncased"), safeload.LoadReport)
assert_type(safeload.check_bert(b"models/uncased", Path("bert_model.ckpt"), training=True), safeload.LoadReport)
assert_type(safeload.check_elmo("elmo", base_dir=Path(__file__).parent, ignore_unused=["x_*"]), safeload.LoadReport)
assert_type(safeload.check_weights(Path("unet"), lock_file="locks"), safeload.WeightsReport)
assert_type(safeload.check_elmo("elmo", signature="model.sig", signed_by=Path("key.pub")).signature is None, bool)
assert_type(safeload.load_state_dict("unet", lock_file="locks"), dict[str, NDArray[Any]])
assert_type(safeload.load_state_dict("unet", framework="torch"), dict[str, Any])
assert_type(safeload.load_vocabulary("vocab.txt"), dict[str, int])
assert_type(safeload.read_settings("config.ini", "BERT"), dict[str, Any])

# models.py has what a load returns
model = safeload.load_bert("models/uncased", seq_len=None, trainable=["Encoder-1"], output_layer_num=[-1, -2])
assert_type(safeload.load_bert(**safeload.read_settings("config.ini", "BERT")), Any)
converted = safeload.convert("bert", Path("hf"), form="safetensors", ignore_unused=["cls/*"], lock=True)
assert_type(converted, safeload.SaveReport)
assert_type(converted.form, str)
tuned = safeload.save_bert(safeload.load_bert("bert"), Path("tuned"), form="google", vocab_file="vocab.txt")
assert_type(tuned, safeload.SaveReport)
saved = safeload.save_elmo(safeload.load_elmo("elmo"), Path("saved"), overwrite=True, lock=True)
assert_type(saved, safeload.SaveReport)
assert_type(saved.largest_difference, float)
assert_type(safeload.character_ids([["A", "good", "film"]]), Any)

for result in safeload.check_many(["models", Path("more")], jobs=2):
    assert_type(result, safeload.CheckResult)
    assert_type(result.error, safeload.SafeLoadError | None)
    assert_type(result.report, safeload.LoadReport | safeload.WeightsReport | None)

report = safeload.report_of(model)
assert_type(report, safeload.LoadReport)
assert_type([tensor.name for tensor in report.read], list[str])
assert_type(report.read[0].shape, tuple[int, ...])
assert_type(report.to_dict(), dict[str, Any])

diagnosis = safeload.diagnose_bert("models/uncased")
assert_type(diagnosis.verdict, str)
assert_type(safeload.diagnose_elmo("models/elmo", "models/elmo/weights.hdf5"), safeload.Diagnosis)
assert_type(diagnosis.report, safeload.LoadReport | None)
