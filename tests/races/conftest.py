"""The site of the fault matrix serves here too."""

from __future__ import annotations

from tests.faults.conftest import site

__all__ = ["site"]
