"""Expected outputs: what the layers of a model compute for fixed inputs, kept as small tables, and the comparison with them."""
