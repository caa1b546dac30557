"""Write a tiny model with each library that is here, as its users save one: `python -m tests.weights.libraries FOLDER`.

The folders are `gpt2`, of transformers; `ddpm`, a pipeline of diffusers; and `minilm`, of sentence-transformers, with a layer of its own.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import warnings
from pathlib import Path


def write_gpt2(folder):
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(vocab_size=64, n_positions=16, n_embd=16, n_layer=2, n_head=2)
    GPT2LMHeadModel(config).save_pretrained(folder)


def write_ddpm(folder):
    from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel

    blocks = {
        "down_block_types": ("DownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "UpBlock2D"),
    }
    sizes = {"sample_size": 8, "in_channels": 1, "out_channels": 1, "block_out_channels": (8, 8), "norm_num_groups": 4}
    unet = UNet2DModel(layers_per_block=1, **sizes, **blocks)
    DDPMPipeline(unet, DDPMScheduler()).save_pretrained(folder)


def write_minilm(folder):
    from sentence_transformers import SentenceTransformer, models
    from transformers import BertConfig, BertModel, BertTokenizerFast

    encoder = Path(tempfile.mkdtemp())
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c"]
    (encoder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    sizes = {
        "vocab_size": 8,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    BertModel(BertConfig(**sizes)).save_pretrained(encoder)
    BertTokenizerFast(str(encoder / "vocab.txt")).save_pretrained(encoder)
    modules = [models.Transformer(str(encoder)), models.Pooling(16), models.Dense(16, 4)]
    SentenceTransformer(modules=modules).save(str(folder))


WRITERS = {
    "gpt2": ("transformers", write_gpt2),
    "ddpm": ("diffusers", write_ddpm),
    "minilm": ("sentence_transformers", write_minilm),
}


def main(folder):
    warnings.simplefilter("ignore")
    for name, (package, write) in WRITERS.items():
        if importlib.util.find_spec(package) and importlib.util.find_spec("torch"):
            write(folder / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
