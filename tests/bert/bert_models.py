"""Real BERTs of transformers and KerasHub whose values are large enough to tell one arithmetic from another."""

from __future__ import annotations

from safeload.testing._bert import TOKENS

SIZES = {"vocab_size": 30, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 32}
POSITIONS = 20
SPREAD = 0.3


def write_hugging_face(folder, **config):
    """Let transformers write a BertForPreTraining, and return it."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.BertConfig(**SIZES, max_position_embeddings=POSITIONS, initializer_range=SPREAD, **config)
    model = transformers.BertForPreTraining(config).eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.endswith(("bias", "LayerNorm.weight")):
                value.add_(torch.randn(value.shape), alpha=SPREAD)
    model.save_pretrained(folder)
    _write_vocabulary(folder)
    return model


def write_keras_hub(folder):
    """Let KerasHub write a BertBackbone, and return it."""
    import keras_hub
    import numpy as np

    model = keras_hub.models.BertBackbone(
        vocabulary_size=SIZES["vocab_size"],
        num_layers=SIZES["num_hidden_layers"],
        num_heads=SIZES["num_attention_heads"],
        hidden_dim=SIZES["hidden_size"],
        intermediate_dim=SIZES["intermediate_size"],
        max_sequence_length=POSITIONS,
    )
    random = np.random.default_rng(0)
    for variable in model.weights:
        around = 1 if variable.path.endswith("gamma") else 0
        variable.assign(around + SPREAD * random.standard_normal(variable.shape))
    model.save_to_preset(folder)
    vocabulary = folder / "assets" / "tokenizer"
    vocabulary.mkdir(parents=True, exist_ok=True)
    _write_vocabulary(vocabulary, "vocabulary.txt")
    return model


def _write_vocabulary(folder, name="vocab.txt"):
    words = [*TOKENS, *(f"word{number}" for number in range(SIZES["vocab_size"] - len(TOKENS)))]
    (folder / name).write_text("\n".join(words) + "\n")
