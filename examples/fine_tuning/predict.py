"""Load the classifier that train.py saved, and print the probability of praise for each text.

python predict.py FOLDER TEXT...
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import transformers

import safeload


def predict(folder: Path, texts: list[str]) -> list[float]:
    """Return the probability of praise for each text."""
    model = safeload.load_bert(folder, backend="transformers", model_class=transformers.BertForSequenceClassification)
    tokenizer = transformers.BertTokenizer(str(folder / "vocab.txt"), do_lower_case=True)
    with torch.no_grad():
        scores = model(**tokenizer(texts, padding=True, return_tensors="pt")).logits.softmax(-1)
    return [float(score) for score in scores[:, 1]]


def main() -> None:
    """Print a line for each text."""
    folder, *texts = sys.argv[1:]
    for text, score in zip(texts, predict(Path(folder), texts), strict=True):
        print(f"{score:.3f} {text}")


if __name__ == "__main__":
    main()
