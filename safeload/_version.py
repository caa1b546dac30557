"""The version of safeload, once."""

__version__ = "0.1.0"
