"""The HTML pages of `safeload inspect` and `safeload check`: one look, and what each shows."""
