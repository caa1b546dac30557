"""The version of safeload, once."""

__version__ = "0.2.0.dev0"
