"""What a destination has to hold: worked out by Django's own code, on a folder of its own."""

from __future__ import annotations

import functools
import mimetypes
import tempfile
from pathlib import Path
from typing import Any

from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.files.storage import FileSystemStorage

from tests.support import write_tree

Tree = dict[str, bytes]
MANIFEST = "staticfiles.json"
GZIPPED = {
    "text/css",
    "text/javascript",
    "application/javascript",
    "application/x-javascript",
    "image/svg+xml",
}


def content_type(name: str) -> str:
    """As all of django-storages guess it."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def published(tree: Tree, *, manifest: bool) -> Tree | None:
    """Name → bytes after a run that succeeds; ``None`` where a reference leads nowhere."""
    if not manifest:
        return dict(tree)
    return _post_processed(frozenset(tree.items()))


@functools.lru_cache(maxsize=512)
def _post_processed(files: frozenset[tuple[str, bytes]]) -> Tree | None:
    with tempfile.TemporaryDirectory() as folder:
        source = write_tree(Path(folder) / "source", dict(files))
        root = write_tree(Path(folder) / "root", dict(files))
        storage: Any = ManifestStaticFilesStorage(location=str(root), base_url="/static/")
        found = {name: (FileSystemStorage(location=str(source)), name) for name, _ in sorted(files)}
        for _, _, processed in storage.post_process(found):
            if isinstance(processed, Exception):
                return None
        return {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file()
        }
