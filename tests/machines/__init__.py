"""Machines and ways to run that differ from a developer's: each is started."""
