"""Local files as Django sees them: opened only when somebody reads them."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from django.core.files.base import ContentFile, File

if TYPE_CHECKING:
    from collections.abc import Mapping

    from collectfasta.items import SourceFile


class LocalFile(File):
    """A collected file. ``md5`` is that of its bytes, where the scan has found it."""

    def __init__(self, source: SourceFile, md5: bytes | None = None) -> None:
        self.source = source
        self.md5 = md5
        self.name = source.path
        self.mode = "rb"
        self._stream: IO[bytes] | None = None

    @property
    def file(self) -> IO[bytes]:
        if self._stream is None:
            self._stream = open(self.source.path, "rb")  # noqa: SIM115 - closed by close()
        return self._stream

    @property
    def size(self) -> int:
        return self.source.size

    @property
    def closed(self) -> bool:
        return self._stream is None or self._stream.closed

    def open(self, *_: Any, **__: Any) -> LocalFile:
        self.close()
        return self

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def as_file(source: SourceFile, md5: bytes | None = None) -> File:
    """``source`` opened for reading, whether its bytes are on disk or in memory."""
    if source.data is not None:
        return ContentFile(source.data, name=source.name)
    return LocalFile(source, md5)


class Sources:
    """What Django's ``post_process`` takes for the storage that a file was found in."""

    def __init__(self, found: Mapping[str, SourceFile], md5: Mapping[str, bytes]) -> None:
        self._found = found
        self._md5 = md5

    def open(self, name: str, mode: str = "rb") -> File:  # noqa: ARG002 - only ever read
        return as_file(self._found[name], self._md5.get(name))

    def path(self, name: str) -> str:
        return self._found[name].path

    def exists(self, name: str) -> bool:
        return name in self._found
