"""Read zip and tar archives in place; nothing is unpacked to disk."""
