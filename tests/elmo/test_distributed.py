"""One training step in two processes, which then hold the same values."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from tests.elmos import BACKENDS

STEP = """
import os, sys
import torch, safeload
from torch.nn.parallel import DistributedDataParallel

folder, backend, rank, port = sys.argv[1:]
os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=port, GLOO_SOCKET_IFNAME="lo")
torch.distributed.init_process_group("gloo", rank=int(rank), world_size=2)
torch.manual_seed(int(rank))
elmo = safeload.load_elmo(folder, backend=backend, requires_grad=True, dropout=0.0)
model = DistributedDataParallel(elmo)
before = elmo.state_dict()["_elmo_lstm._elmo_lstm.forward_layer_0.input_linearity.weight"].clone()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
words = [["a", "good", "film"], ["bad"]] if rank == "0" else [["another", "plot"], ["of", "four", "words", "."]]
(model(safeload.character_ids(words))["elmo_representations"][0] ** 2).mean().backward()
optimizer.step()
after = elmo.state_dict()["_elmo_lstm._elmo_lstm.forward_layer_0.input_linearity.weight"]
both = [torch.zeros_like(after) for _ in range(2)]
torch.distributed.all_gather(both, after.contiguous())
print("changed" if not torch.equal(before, after) else "same", "equal" if torch.equal(*both) else "different")
torch.distributed.destroy_process_group()
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_distributed_data_parallel_trains_one_step(backend, tiny_elmo):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", STEP, str(tiny_elmo), backend, rank, port],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    done = [rank.communicate(timeout=180) for rank in ranks]

    assert [out.splitlines()[-1:] for out, _ in done] == [["changed equal"]] * 2, done
