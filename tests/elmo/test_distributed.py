"""One training step in two processes, which then hold what a step in one process gives."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from tests.elmos import BACKENDS

pytest.importorskip("torch")

STEP = """
import os, sys
import torch, safeload
from torch.nn.parallel import DistributedDataParallel

folder, backend, requires_grad, rank, port = sys.argv[1:]
os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=port, GLOO_SOCKET_IFNAME="lo")
torch.distributed.init_process_group("gloo", rank=int(rank), world_size=2)
WORDS = [["a", "good", "film"], ["bad"]], [["another", "plot"], ["of", "four", "words", "."]]

def load():
    torch.manual_seed(int(rank))
    return safeload.load_elmo(folder, backend=backend, requires_grad=requires_grad == "True", dropout=0.0)

def loss_of(model, words):
    return (model(safeload.character_ids(words))["elmo_representations"][0] ** 2).mean()

def learned(elmo):
    return {name: each.detach().clone() for name, each in elmo.named_parameters() if each.requires_grad}

elmo, alone = load(), load()
first = learned(elmo)
model = DistributedDataParallel(elmo)
loss_of(model, WORDS[int(rank)]).backward()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
optimizer.step()

losses = []
for words in WORDS:
    alone._elmo_lstm._elmo_lstm.reset_states()  # each process begins with none
    losses.append(loss_of(alone, words))
(sum(losses) / 2).backward()
torch.optim.SGD(alone.parameters(), lr=0.1).step()

changed = []
for (name, ours), wanted in zip(learned(elmo).items(), learned(alone).values()):
    both = [torch.zeros_like(ours) for _ in range(2)]
    torch.distributed.all_gather(both, ours.contiguous())
    assert torch.equal(*both), name
    torch.testing.assert_close(ours, wanted, atol=1e-7, rtol=1e-6, msg=name)
    changed.append(not torch.equal(first[name], ours))
print(sum(changed), "of", len(changed), "changed")
torch.distributed.destroy_process_group()
"""


@pytest.mark.parametrize(("requires_grad", "n_parameters"), [(True, 33), (False, 4)])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_step_in_two_processes_is_that_of_one(backend, tiny_elmo, requires_grad, n_parameters):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", STEP, str(tiny_elmo), backend, str(requires_grad), rank, port],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    done = [rank.communicate(timeout=180) for rank in ranks]

    assert [out.splitlines()[-1:] for out, _ in done] == [[f"{n_parameters} of {n_parameters} changed"]] * 2, done
