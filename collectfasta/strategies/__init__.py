"""What differs per storage, one module each."""
