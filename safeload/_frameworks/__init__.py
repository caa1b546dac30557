"""Import TensorFlow, Keras, torch and AllenNLP inside functions, and report missing and incompatible versions."""
