"""An app with a style sheet."""
