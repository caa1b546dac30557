"""Readers for the file formats: each bounded, each independent of the library that wrote the file."""
