"""Name published models by their sizes.

Source:
    github.com/google-research/bert, README.md, and the bert_config.json of each release; github.com/allenai/scibert;
    github.com/ymcui/Chinese-BERT-wwm; allenai.org/allennlp/software/elmo, and the options file of each release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_BERT_SIZES = (
    "vocab_size", "hidden_size", "num_hidden_layers", "intermediate_size", "max_position_embeddings",
)  # fmt: skip
_BERTS: dict[tuple[int, ...], str] = {
    (vocab, hidden, layers, 4 * hidden, 512): name
    for vocab, hidden, layers, name in (
        *(
            (30_522, hidden, layers, f"uncased_L-{layers}_H-{hidden}_A-{hidden // 64}")
            for layers in (2, 4, 6, 8, 10)
            for hidden in (128, 256, 512, 768)
        ),
        *((30_522, hidden, 12, f"uncased_L-12_H-{hidden}_A-{hidden // 64}") for hidden in (128, 256, 512)),
        (30_522, 768, 12, "BERT-Base, uncased: uncased_L-12_H-768_A-12"),
        (30_522, 1_024, 24, "BERT-Large, uncased: uncased_L-24_H-1024_A-16"),
        (28_996, 768, 12, "BERT-Base, cased: cased_L-12_H-768_A-12"),
        (28_996, 1_024, 24, "BERT-Large, cased: cased_L-24_H-1024_A-16"),
        (119_547, 768, 12, "BERT-Base, multilingual cased: multi_cased_L-12_H-768_A-12"),
        (105_879, 768, 12, "BERT-Base, multilingual uncased: multilingual_L-12_H-768_A-12"),
        (21_128, 768, 12, "BERT-Base, Chinese: chinese_L-12_H-768_A-12"),
        (21_128, 1_024, 24, "RoBERTa-wwm-ext-large, Chinese: chinese_roberta_wwm_large_ext_L-24_H-1024_A-16"),
        (31_090, 768, 12, "SciBERT, uncased: scibert_scivocab_uncased"),
        (31_116, 768, 12, "SciBERT, cased: scibert_scivocab_cased"),
    )
}

PUBLISHED_VOCAB_SIZES = frozenset(sizes[0] for sizes in _BERTS)
"""Rows of published embedding tables, none of which is padded."""

_ELMO_SIZES = (
    "lstm.dim", "lstm.projection_dim", "lstm.n_layers", "char_cnn.n_highway", "sum of char_cnn.filters",
    "char_cnn.embedding.dim",
)  # fmt: skip
_ELMOS: dict[tuple[int, ...], str] = {
    (1_024, 128, 2, 1, 2_048, 16): "ELMo small: elmo_2x1024_128_2048cnn_1xhighway",
    (2_048, 256, 2, 1, 2_048, 16): "ELMo medium: elmo_2x2048_256_2048cnn_1xhighway",
    (4_096, 512, 2, 2, 2_048, 16): "ELMo original and 5.5B: elmo_2x4096_512_2048cnn_2xhighway",
}


def published_bert(sizes: Mapping[str, int]) -> str:
    """Return the name of the published BERT with these sizes, by config key; "" if there is none."""
    return _BERTS.get(tuple(sizes.get(key, 0) for key in _BERT_SIZES), "")


def published_elmo(sizes: Mapping[str, int]) -> str:
    """Return the name of the published ELMo with these sizes, by options key; "" if there is none."""
    return _ELMOS.get(tuple(sizes.get(key, 0) for key in _ELMO_SIZES), "")
