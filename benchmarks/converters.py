"""Compare safeload's conversion of a BERT-Base with that of transformers 4.49: `python benchmarks/converters.py [--rounds 3]`.

transformers reads the checkpoint with TensorFlow into a torch model and saves it, as `from_pretrained(..., from_tf=True)` and
`save_pretrained` do. It is run with the interpreter of `--python`, which has transformers 4.49, torch and TensorFlow. Every sample is a
fresh process, and three times are taken: of the conversion once all is imported, of the processor for it, and of the whole process.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import models

OURS = """
import sys, time, tempfile, safeload
from safeload import testing
source, target = sys.argv[1:]
with tempfile.TemporaryDirectory() as name:  # what a conversion imports is not a part of it
    safeload.convert(testing.write_bert(f"{name}/tiny"), f"{name}/converted", form="safetensors")
start = time.perf_counter(), time.process_time()
safeload.convert(source, target, form="safetensors")
print(time.perf_counter() - start[0], time.process_time() - start[1])
"""
THEIRS = """
import os, sys, time
import tensorflow, torch
from transformers import BertConfig, BertForPreTraining
from transformers.models.bert.modeling_bert import load_tf_weights_in_bert
source, target = sys.argv[1:]
start = time.perf_counter(), time.process_time()
model = BertForPreTraining(BertConfig.from_json_file(os.path.join(source, "bert_config.json")))
load_tf_weights_in_bert(model, model.config, os.path.join(source, "bert_model.ckpt"))
model.save_pretrained(target)
print(time.perf_counter() - start[0], time.process_time() - start[1])
"""


WHAT = ("conversion", "processor", "process")


def sample(python: str, code: str, source: Path) -> tuple[float, float, float]:
    """Return the seconds that one conversion takes, those of the processor, and those of the whole process."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_USE_LEGACY_KERAS": "1"}
    with tempfile.TemporaryDirectory(dir=source.parent) as target:
        command = [python, "-c", code, source, f"{target}/converted"]
        start = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        process = time.perf_counter() - start
    conversion, processor = map(float, done.stdout.splitlines()[-1].split())
    return conversion, processor, process


def main() -> None:
    """Measure in turn, and print the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="samples of each side (default: 3)")
    parser.add_argument("--python", required=True, help="an interpreter with transformers 4.49, torch and TensorFlow")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "BERT-Base"
        models.write("BERT-Base", source)
        sides = (sys.executable, OURS), (arguments.python, THEIRS)
        rows = [[sample(*side, source) for side in sides] for _ in range(arguments.rounds)]
    for at, what in enumerate(WHAT):
        ours, theirs = (statistics.median(row[side][at] for row in rows) for side in (0, 1))
        ratio = statistics.median(theirs[at] / ours[at] for ours, theirs in rows)
        print(f"{what}: safeload {ours:.2f} s, transformers {theirs:.2f} s, {ratio:.1f} times faster")


if __name__ == "__main__":
    main()
