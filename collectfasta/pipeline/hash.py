"""Second stage, worker side: read files and digest them. Imports no Django: workers load this."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING

from xxhash import xxh3_128

from collectfasta.items import Digest

if TYPE_CHECKING:
    from collections.abc import Sequence

CHUNK = 1 << 20

Task = tuple[str, str | None]
"""A file's path, and the path of the published copy to compare it with, if there is one."""

Answer = tuple[bytes, bytes | None, int, bool | None] | str
"""The fields of a ``Digest``, or what went wrong with the file, for the user. Plain values, because
they cross a process border tens of thousands of times."""


def hash_batch(tasks: Sequence[Task], md5: bool) -> list[Answer]:
    """Digest each file, with MD5 if asked for. One answer per task, in order."""
    return [_answer(path, beside, md5) for path, beside in tasks]


def digest_of(data: bytes, *, md5: bool = False) -> Digest:
    """The digest of bytes in memory."""
    return Digest(
        xxh3_128(data).digest(),
        hashlib.md5(data, usedforsecurity=False).digest() if md5 else None,
        len(data),
    )


def _answer(path: str, beside: str | None, md5: bool) -> Answer:
    try:
        source = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError as error:
        return error.strerror or str(error)
    try:
        copy = _open_copy(beside)
        try:
            return _digest(source, copy, md5, compared=beside is not None)
        finally:
            if copy is not None:
                os.close(copy)
    except OSError as error:
        return error.strerror or str(error)
    finally:
        os.close(source)


def _open_copy(path: str | None) -> int | None:
    """The published copy; what cannot be read, or is no plain file, counts as different."""
    if path is None:
        return None
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        copy = os.open(path, flags)
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(copy).st_mode):
        return copy
    os.close(copy)
    return None


def _digest(source: int, copy: int | None, md5: bool, *, compared: bool) -> Answer:
    xxh3, size = xxh3_128(), 0
    md5_hash = hashlib.md5(usedforsecurity=False) if md5 else None
    same = copy is not None
    while chunk := os.read(source, CHUNK):
        xxh3.update(chunk)
        size += len(chunk)
        if md5_hash is not None:
            md5_hash.update(chunk)
        if same and copy is not None and _read_exactly(copy, len(chunk)) != chunk:
            same = False
    if same and copy is not None and os.read(copy, 1):
        same = False
    return (
        xxh3.digest(),
        md5_hash.digest() if md5_hash is not None else None,
        size,
        same if compared else None,
    )


def _read_exactly(descriptor: int, size: int) -> bytes:
    data = os.read(descriptor, size)
    while len(data) < size and (more := os.read(descriptor, size - len(data))):
        data += more
    return data
