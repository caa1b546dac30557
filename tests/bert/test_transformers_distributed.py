"""A BERT in two processes under DistributedDataParallel: a step is that of one process."""

from __future__ import annotations

import socket
import subprocess
import sys

from safeload import testing
from tests.bert.torch_berts import required

required()

STEP = """
import os, sys
import torch, safeload, transformers
from torch.nn.parallel import DistributedDataParallel

folder, rank, port = sys.argv[1:]
os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=port, GLOO_SOCKET_IFNAME="lo")
torch.distributed.init_process_group("gloo", rank=int(rank), world_size=2)
IDS = torch.tensor([[2, 5, 7, 3], [2, 8, 6, 3]])

def load():
    torch.manual_seed(0)
    return safeload.load_bert(folder, backend="transformers", model_class=transformers.BertForSequenceClassification)

def loss_of(model, ids):
    return model(input_ids=ids, labels=torch.zeros(len(ids), dtype=torch.long)).loss

bert, alone = load(), load()
first = {name: each.detach().clone() for name, each in bert.named_parameters()}
model = DistributedDataParallel(bert)
loss_of(model, IDS[int(rank)][None]).backward()
torch.optim.SGD(model.parameters(), lr=0.1).step()
loss_of(alone, IDS).backward()
torch.optim.SGD(alone.parameters(), lr=0.1).step()

changed = 0
for (name, ours), wanted in zip(bert.named_parameters(), alone.parameters()):
    both = [torch.zeros_like(ours) for _ in range(2)]
    torch.distributed.all_gather(both, ours.detach().contiguous())
    assert torch.equal(*both), name
    torch.testing.assert_close(ours, wanted, atol=1e-6, rtol=1e-5, msg=name)
    if not name.endswith("key.bias"):  # what it adds to the scores of one word is the same for all, so its gradient is 0
        assert not torch.equal(first[name], ours), name
        changed += 1
print(changed, "changed")
torch.distributed.destroy_process_group()
"""


def test_a_step_in_two_processes_is_that_of_one(tmp_path):
    folder = testing.write_bert(tmp_path / "m")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", STEP, str(folder), rank, port],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    done = [rank.communicate(timeout=180) for rank in ranks]

    assert [out.splitlines()[-1:] for out, _ in done] == [["39 changed"]] * 2, done
