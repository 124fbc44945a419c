"""The stages of a run, one module each; `run` puts them together."""
