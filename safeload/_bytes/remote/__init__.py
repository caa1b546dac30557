"""Read objects behind addresses, straight into memory."""
