"""A finder whose folder can be another one in each thread, for two runs at once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from django.contrib.staticfiles.finders import BaseFinder
from django.contrib.staticfiles.utils import get_files
from django.core.files.storage import FileSystemStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

_local = threading.local()
PATH = "tests.model.finder.Finder"


def look_in(folder: str) -> None:
    """Where this thread's runs find their files from now on."""
    _local.folder = folder


class Finder(BaseFinder):
    """Everything in this thread's folder."""

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, Any]]:
        """As Django's own finders do it."""
        storage = FileSystemStorage(location=_local.folder)
        for path in get_files(storage, ignore_patterns):
            yield path, storage

    def find(self, path: str, **options: Any) -> Any:
        """Nobody asks."""
        return []
