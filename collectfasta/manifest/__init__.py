"""Post-processing in memory for storages with hashed names and a manifest."""
