"""Drop-ins: changing the import line of a script is the whole migration."""
