"""Reading a local file into what is sent, and knowing exactly which bytes that was."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import xxhash

from collectfasta.exceptions import SourceError, UploadError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from collectfasta.items import SourceFile

    Compress = Callable[[BinaryIO], BinaryIO]

CHUNK = 1024 * 1024
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
"""Opening a pipe must not wait for a writer; on a file the last one means nothing."""


class Body(NamedTuple):
    """What is stored for one file, the xxh3_128 of the source bytes, the MD5 of ``data``."""

    data: bytes
    xxh3: bytes
    md5: bytes


def read_source(file: SourceFile, limit: int) -> bytes | None:
    """The file's bytes, read once; ``None`` if there are ``limit`` bytes or more, to be streamed.

    Raises ``SourceError`` if it cannot be read and ``UploadError`` if it changes meanwhile.
    """
    if file.data is not None:
        return file.data if len(file.data) < limit else None
    try:
        descriptor = os.open(file.path, _FLAGS)
        try:
            data = os.read(descriptor, file.size + 1) if file.size < limit else b""
            if len(data) == file.size < limit:  # nearly always, and the fewest calls
                return data
            os.lseek(descriptor, 0, os.SEEK_SET)
            size = _regular(file, descriptor).st_size
            if size >= limit:
                return None
            data = _read_all(descriptor, size)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unreadable(file, error) from error
    if len(data) != size:
        raise changed(file)
    return data


def _read_all(descriptor: int, size: int) -> bytes:
    """One byte more than ``size`` is asked for, so that a file that grows is noticed."""
    data = os.read(descriptor, size + 1)
    if len(data) >= size or not data:
        return data
    chunks = [data]
    while data := os.read(descriptor, CHUNK):
        chunks.append(data)
    return b"".join(chunks)


def _regular(file: SourceFile, descriptor: int) -> os.stat_result:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{file.name}: {file.path} is not a file.", name=file.name)
    return status


def unreadable(file: SourceFile, error: OSError) -> SourceError:
    why = error.strerror or type(error).__name__
    return SourceError(f"{file.name}: cannot read {file.path}: {why}.", name=file.name)


def changed(file: SourceFile) -> UploadError:
    return UploadError(f"{file.name}: {file.path} changed while it was read.", name=file.name)


def make_body(data: bytes, compress: Compress | None) -> Body:
    """``data`` as it is stored: compressed by ``compress`` if that is given."""
    stored = data if compress is None else read_through(compress(io.BytesIO(data)))
    md5 = hashlib.md5(stored, usedforsecurity=False).digest()
    return Body(stored, xxhash.xxh3_128_digest(data), md5)


def read_through(stream: BinaryIO) -> bytes:
    return b"".join(iter(lambda: stream.read(CHUNK), b""))


def other_gzip(stored: bytes) -> bytes:
    """The same gzip stream as other versions of the libraries write it: only the header's byte that
    names the operating system differs (RFC 1952: 3 is Unix, 255 unknown)."""
    return b"%b%c%b" % (stored[:9], 0xFF if stored[9:10] == b"\x03" else 0x03, stored[10:])


class Hashing(io.RawIOBase):
    """A file that knows the xxh3_128 of what was read from it. It rewinds to the start only."""

    def __init__(self, raw: BinaryIO) -> None:
        super().__init__()
        self._raw = raw
        self.hash = xxhash.xxh3_128()
        self.count = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """As ``RawIOBase`` has it, without a second copy of what may be a whole part."""
        data = self._raw.read(size)
        self.hash.update(data)
        self.count += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        count: int = self._raw.readinto(view)  # type: ignore[attr-defined]  # FileIO and BytesIO have it
        self.hash.update(view[:count])
        self.count += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if offset or whence != os.SEEK_SET:
            raise io.UnsupportedOperation("only seek(0)")
        self._raw.seek(0)
        self.hash.reset()
        self.count = 0
        return 0

    def tell(self) -> int:
        return self.count


class Stream:
    """A large file, read once from start to end in parts, in bounded memory.

    A context manager. After the last part, ``xxh3`` is that of the source bytes, ``md5`` that of
    the stored ones, if it was asked for, and ``wire`` their number.
    """

    def __init__(self, file: SourceFile, compress: Compress | None, *, md5: bool = True) -> None:
        self.file = file
        self.wire = 0
        self._wants_md5 = md5
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._before: os.stat_result | None = None
        self._raw = self._open()
        self._source = Hashing(self._raw)
        self._stored: BinaryIO = (
            self._source if compress is None else compress(self._source)  # type: ignore[arg-type,assignment]  # RawIOBase reads as BinaryIO does
        )

    def _open(self) -> BinaryIO:
        if self.file.data is not None:
            self.size = len(self.file.data)
            return io.BytesIO(self.file.data)
        try:
            descriptor = os.open(self.file.path, _FLAGS)
        except OSError as error:
            raise unreadable(self.file, error) from error
        try:
            self._before = _regular(self.file, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self.size = self._before.st_size
        return os.fdopen(descriptor, "rb", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._raw.close()

    @property
    def xxh3(self) -> bytes:
        return self._source.hash.digest()

    @property
    def md5(self) -> bytes:
        if not self._wants_md5:
            raise RuntimeError("This stream was told not to make an MD5.")
        return self._md5.digest()

    def ended(self) -> bool:
        """Whether everything has been read. Afterwards the digests mean nothing any more."""
        return not self._fill(1)

    def parts(self, size: int) -> Iterator[bytes]:
        """Parts of ``size`` bytes, the last one shorter; none for an empty file.

        Raises ``SourceError`` or ``UploadError`` as soon as the file is seen to have changed:
        before the last part is handed out, wherever that is known. Holds no part that it has
        handed out: whoever takes it decides how long it is in memory.
        """
        while ahead := self._next(size):
            yield ahead.pop()
        self._unchanged()

    def _next(self, size: int) -> list[bytes]:
        part = self._fill(size)
        if not part:
            return []
        if len(part) < size or self._source.count >= self.size:
            self._unchanged()
        if self._wants_md5:
            self._md5.update(part)
        self.wire += len(part)
        return [part]

    def _fill(self, size: int) -> bytes:
        try:
            part = self._stored.read(size)
            if len(part) == size or not part:
                return part
            chunks = [part]
            missing = size - len(part)
            while missing and (part := self._stored.read(missing)):
                chunks.append(part)
                missing -= len(part)
        except OSError as error:
            raise unreadable(self.file, error) from error
        return b"".join(chunks)

    def _unchanged(self) -> None:
        if self._before is None:
            return
        now = os.fstat(self._raw.fileno())
        before = self._before
        if (
            self._source.count != before.st_size
            or now.st_size != before.st_size
            or now.st_mtime_ns != before.st_mtime_ns
        ):
            raise changed(self.file)
