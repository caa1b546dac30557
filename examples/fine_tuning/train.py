"""Fine-tune a BERT on a few sentences, and save and lock it.

    python train.py TARGET [FOLDER]

FOLDER holds a BERT in any form. Without it, a tiny one is written first.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import transformers

import safeload
from safeload.testing import write_bert

TEXTS = ["a good film", "a bad film", "a good plot", "a bad plot"]
LABELS = torch.tensor([1, 0, 1, 0])


def train(target: Path, folder: Path, steps: int = 30) -> list[float]:
    """Train, save and lock, and return the loss of each step."""
    torch.manual_seed(0)
    model = safeload.load_bert(folder, backend="transformers", model_class=transformers.BertForSequenceClassification)
    tokenizer = transformers.BertTokenizer(str(folder / "vocab.txt"), do_lower_case=True)
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    losses = []
    model.train()
    for _ in range(steps):
        loss = model(**batch, labels=LABELS).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    model.eval().save_pretrained(target)
    shutil.copy(folder / "vocab.txt", target)
    subprocess.run(["safeload", "lock", target], check=True, stdout=subprocess.DEVNULL)  # noqa: S603, S607  (as in a shell)
    return losses


def main() -> None:
    """Print the first and the last loss."""
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(sys.argv[2]) if len(sys.argv) > 2 else write_bert(name)  # noqa: PLR2004  (the arguments)
        losses = train(target, folder)
    print(f"loss: {losses[0]:.3f} to {losses[-1]:.3f}")
    print(f"saved to {target}")


if __name__ == "__main__":
    main()
