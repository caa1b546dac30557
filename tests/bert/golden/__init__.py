"""Small files that libraries wrote which are too heavy for each run, and what their own models computed."""
