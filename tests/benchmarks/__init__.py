"""The bench and its store."""
