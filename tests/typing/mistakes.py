"""What a type checker must refuse: each comment is an error of its own where there is nothing to refuse."""

from __future__ import annotations

import safeload
from safeload import errors

safeload.check_bert(None)  # type: ignore[arg-type]
safeload.check_bert("models/uncased", None, None, True)  # type: ignore[call-arg]
safeload.check_bert("models/uncased", dropout_rate=0.1)  # type: ignore[call-arg]
safeload.check_elmo(["options.json", "weights.hdf5"])  # type: ignore[arg-type]
safeload.load_bert("models/uncased", seq_len="full")  # type: ignore[call-overload]
safeload.load_bert("models/uncased", learning_rate=0.1)  # type: ignore[call-overload]
safeload.load_bert("models/uncased").get_layer(1, 2, 3)  # type: ignore[call-arg, arg-type]
safeload.load_elmo("elmo", dropout="0.5")  # type: ignore[call-overload]
safeload.load_elmo("elmo", training=True)  # type: ignore[call-overload]
safeload.character_ids([1, 2, 3])  # type: ignore[list-item]
safeload.LoadReport("BERT")  # type: ignore[call-arg]
safeload.check_bert("models/uncased").model = "ELMo"  # type: ignore[misc]
errors.SafeLoadError("no file").looked_for  # type: ignore[attr-defined]
safeload.nothing  # type: ignore[attr-defined]
