"""Build a BERT: one module per framework."""
