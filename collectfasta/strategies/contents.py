"""A local file as a storage's own ``save`` reads it, and what it has read."""

from __future__ import annotations

import contextlib
import io
import os
import re
from typing import TYPE_CHECKING, Any

import xxhash
from django.core.files.base import File

from collectfasta.exceptions import CollectfastaError, UploadError
from collectfasta.strategies.bodies import CHUNK, changed, read_source, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from collectfasta.items import SourceFile

_QUERY = re.compile(r"(\w+://)(?:[^\s/@]*@)?([^\s?#'\"]*)[?#][^\s'\"]*|(\w+://)[^\s/@]*@")
_LONGEST = 200


class Watched(io.RawIOBase):
    """A file that digests what is read from it, from its start to its end."""

    def __init__(self, raw: Any, size: int) -> None:
        super().__init__()
        self._raw = raw
        self._hash = xxhash.xxh3_128()
        self._hashed = 0
        self._position = 0
        self.size = size
        """In bytes; Django's ``File`` asks for it."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        count: int = self._raw.readinto(view)
        if self._position == 0:
            self._hash.reset()
            self._hashed = 0
        if self._position == self._hashed:
            self._hash.update(view[:count])
            self._hashed += count
        self._position += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = self._raw.seek(offset, whence)
        return self._position

    def tell(self) -> int:
        return self._position

    def xxh3(self) -> bytes | None:
        """The xxh3_128 of the whole file, if it was read to its end and in order."""
        return self._hash.digest() if self._hashed == self.size else None


class Content:
    """One file, open: ``file`` is for the storage, ``xxh3`` afterwards what it has read of it."""

    def __init__(self, source: SourceFile, raw: Any, size: int) -> None:
        self._source = source
        self._watched = Watched(raw, size)
        self.file = File(self._watched, name=source.path if source.data is None else source.name)

    def xxh3(self) -> bytes | None:
        """The xxh3_128 of the bytes that were saved; ``None`` if it cannot be told."""
        return self._watched.xxh3()


@contextlib.contextmanager
def opened(source: SourceFile) -> Iterator[Content]:
    """``source`` as a storage's ``save`` takes it. Small files are read first, so that what is
    saved is what was read. Raises ``SourceError``, and ``UploadError`` if a large one changes."""
    data = read_source(source, CHUNK)
    data = source.data if data is None else data
    if data is not None:
        yield Content(source, io.BytesIO(data), len(data))
        return
    try:
        raw = open(source.path, "rb", buffering=0)  # noqa: SIM115 - closed below
    except OSError as error:
        raise unreadable(source, error) from error
    with raw:
        descriptor = os.dup(raw.fileno())  # the storage may close the file that it is given
        try:
            before = os.fstat(descriptor)
            yield Content(source, raw, before.st_size)
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise changed(source)


class UnsupportedError(UploadError):
    """The storage does not offer what was asked of it."""


def asked(name: str, what: str, question: Callable[..., Any], *args: Any) -> Any:
    """The answer of a storage that may raise whatever it likes: as an ``UploadError`` that says
    what could not be done; :class:`UnsupportedError` if it is not meant to be able to."""
    try:
        return question(*args)
    except CollectfastaError:
        raise
    except NotImplementedError as error:
        raise UnsupportedError(f"{name}: {what}: {one_line(error)}.", name=name) from error
    except Exception as error:
        raise UploadError(f"{name}: {what}: {one_line(error)}.", name=name) from error


def one_line(error: BaseException) -> str:
    """What an error says, in one line, without what a URL may carry in secret."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = " ".join(_QUERY.sub(r"\1\2\3", str(error)).split()).rstrip(".")
    short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return f"{type(error).__name__}: {short}" if short else type(error).__name__
