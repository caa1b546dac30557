"""Train a classifier on top of ELMo: one import away from AllenNLP.

    python train.py [FOLDER]

FOLDER holds a published ELMo: ..._options.json and ..._weights.hdf5. Without it, a tiny one is written first.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch

# was: from allennlp.modules.elmo import Elmo, batch_to_ids
from safeload.compat.allennlp import Elmo, batch_to_ids
from safeload.testing import write_elmo

SENTENCES = [["good", "film"], ["bad", "film"], ["a", "good", "plot"], ["a", "bad", "plot"]]
LABELS = torch.tensor([1, 0, 1, 0])


class Classifier(torch.nn.Module):
    """The mean of a sentence's vectors, and a layer on top."""

    def __init__(self, folder: Path) -> None:
        """Load the ELMo of a folder."""
        super().__init__()
        self.elmo = Elmo(folder, None, 1, requires_grad=True, dropout=0.0)
        self.out = torch.nn.Linear(self.elmo.get_output_dim(), 2)

    def forward(self, sentences: list[list[str]]) -> torch.Tensor:
        """Return the scores of two classes for each sentence."""
        output = self.elmo(batch_to_ids(sentences))
        vectors, mask = output["elmo_representations"][0], output["mask"].unsqueeze(-1)
        return self.out((vectors * mask).sum(dim=1) / mask.sum(dim=1))


def train(folder: Path) -> list[float]:
    """Train five epochs, and return the loss of each."""
    torch.manual_seed(0)
    model = Classifier(folder)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    losses = []
    for _ in range(5):
        loss = torch.nn.functional.cross_entropy(model(SENTENCES), LABELS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def main() -> None:
    """Print the loss of each epoch."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else write_elmo(name)
        for epoch, loss in enumerate(train(folder), 1):
            print(f"epoch {epoch}: loss {loss:.3f}")


if __name__ == "__main__":
    main()
