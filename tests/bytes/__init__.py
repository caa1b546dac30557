"""Tests of `safeload/_bytes`."""
