"""Format messages, render HTML for notebooks and parse TOML; nothing here reads files."""
