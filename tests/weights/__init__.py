"""Weights of any model, checked and loaded without a config."""
