"""A finder that says whatever a test wants."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

chosen: dict[str, str] = {}
"""Names → local paths."""


class _Elsewhere(FileSystemStorage):
    def path(self, name: str) -> str:
        return os.fspath(chosen[name])


class Chosen(BaseFinder):
    """Lists ``chosen``."""

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, Any]]:
        for name in chosen:
            yield name, _Elsewhere()

    def find(self, path: str, **options: Any) -> Any:
        return []
