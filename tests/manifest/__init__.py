"""Post-processing in memory: the same as Django's, without its requests."""
