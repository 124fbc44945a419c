"""Gzip as django-storages' Google storage writes it, for files too large for memory."""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import BinaryIO

CHUNK = 256 * 1024


class GzipReader(io.RawIOBase):
    """``source`` compressed while it is read: level 9, no name, time 0, like the storage's own."""

    def __init__(self, source: BinaryIO) -> None:
        super().__init__()
        self._source = source
        self._ready = io.BytesIO()
        self._left = b""
        self._writer: gzip.GzipFile | None = gzip.GzipFile(
            mode="wb", fileobj=self._ready, mtime=0.0
        )

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """The next bytes; 0 at the end."""
        while not self._left and self._writer is not None:
            self._advance(self._writer)
        view = memoryview(buffer)
        count = min(len(view), len(self._left))
        view[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def _advance(self, writer: gzip.GzipFile) -> None:
        chunk = self._source.read(CHUNK)
        if chunk:
            writer.write(chunk)
        else:
            writer.close()
            self._writer = None
        self._left = self._ready.getvalue()
        self._ready.seek(0)
        self._ready.truncate()
