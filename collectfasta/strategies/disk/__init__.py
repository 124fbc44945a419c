"""Writing to a local folder."""
