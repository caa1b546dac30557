"""Resolve paths, recognise file kinds, and read files."""
