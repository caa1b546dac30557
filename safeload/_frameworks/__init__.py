"""Which TensorFlow, Keras, torch and AllenNLP this process has or can import, and what is missing.

Frameworks are imported inside functions; the builders ask for them here first.
"""
