"""Say which task head of one library is which of another."""

from __future__ import annotations

GOOGLE_HEADS = {
    "output_weights": "classifier.weight",
    "output_bias": "classifier.bias",
    "cls/squad/output_weights": "qa_outputs.weight",
    "cls/squad/output_bias": "qa_outputs.bias",
}
"""What google-research/bert trains beside the encoder -> the head of transformers with the same values.

Source:
    google-research/bert, run_classifier.py and run_squad.py, create_model; transformers/models/bert/modeling_bert.py,
    BertForSequenceClassification and BertForQuestionAnswering, transformers 4.57 and 5.24.
"""
