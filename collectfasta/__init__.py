"""A fast and safe ``collectstatic``. Imports nothing: worker processes import this package."""

__version__ = "4.0.0"
