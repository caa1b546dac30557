"""Provide drop-in replacements: to migrate a script, change its import line."""
