"""Copy one file to its place: whole, or not at all."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import stat
import threading
import uuid
from typing import TYPE_CHECKING

import xxhash

from collectfasta.exceptions import UploadError
from collectfasta.items import Sent
from collectfasta.strategies.bodies import changed, read_source, unreadable
from collectfasta.strategies.disk.paths import PART_PREFIX, PART_SUFFIX, etag_of, sweep

if TYPE_CHECKING:
    from io import FileIO

    from collectfasta.items import SourceFile

CHUNK = 1 << 20
PATIENCE = 0.5
"""Seconds that an interrupted run waits for unfinished files to be removed."""

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
_NOT_A_FOLDER = {errno.ENOTDIR, errno.EEXIST, errno.ELOOP}
_IS_A_FOLDER = {errno.EISDIR, errno.ENOTEMPTY}


class Writer:
    """Writes files under ``root``, each first beside its place under a name of our own.

    ``file_mode`` and ``folder_mode`` are permissions as in Django's settings: ``None`` leaves them
    to the umask. Methods may be called from many threads.
    """

    def __init__(self, root: str, file_mode: int | None, folder_mode: int | None) -> None:
        self._root = root
        self._file_mode = file_mode
        self._folder_mode = folder_mode
        self._stem = f"{PART_PREFIX}{os.getpid():x}-{uuid.uuid4().hex[:8]}-"
        self._numbers = itertools.count()
        self._parts: set[str] = set()
        self._swept: set[str] = set()
        self._group: int | None = None
        self._stopped = False

    def write(self, file: SourceFile, path: str) -> Sent:
        """Copy ``file`` to ``path``; folders are made as needed. A link there is replaced, never
        followed. Raises ``SourceError`` or ``UploadError``, and leaves what was there."""
        data = read_source(file, CHUNK)
        try:
            return self._write(file, data, path)
        except OSError as error:
            raise cannot_write(file.name, path, error) from error

    def part(self, folder: str) -> str:
        """A path in ``folder`` that nobody else uses, and that everybody can tell is ours."""
        return os.path.join(folder, f"{self._stem}{next(self._numbers):x}{PART_SUFFIX}")

    def interrupt(self) -> None:
        """Remove what is unfinished; the threads that write it fail. Returns soon, in any case."""
        self._stopped = True
        thread = threading.Thread(target=self._remove_parts, daemon=True)
        thread.start()
        thread.join(PATIENCE)

    def _remove_parts(self) -> None:
        for part in list(self._parts):
            with contextlib.suppress(OSError):
                os.unlink(part)

    def _write(self, file: SourceFile, data: bytes | None, path: str) -> Sent:
        part = self.part(os.path.dirname(path))
        self._parts.add(part)
        try:
            descriptor = self._create(part)
            try:
                xxh3 = _fill(descriptor, file, data)
                status = self._finish(descriptor)
            finally:
                os.close(descriptor)
            self._replace(part, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(part)
            raise
        finally:
            self._parts.discard(part)
        return Sent(etag_of(status), xxh3, status.st_size)

    def _create(self, part: str) -> int:
        if self._stopped:
            raise InterruptedError(errno.EINTR, "interrupted")
        folder = os.path.dirname(part)
        mode = 0o666 if self._file_mode is None else self._file_mode
        try:
            descriptor = os.open(part, _FLAGS, mode)
        except FileNotFoundError:
            make_folders(folder, self._folder_mode)
            descriptor = os.open(part, _FLAGS, mode)
        else:
            if folder not in self._swept:
                sweep(folder)
        self._swept.add(folder)
        return descriptor

    def _finish(self, descriptor: int) -> os.stat_result:
        """Permissions and group as Django's storage sets them."""
        status = os.fstat(descriptor)
        if self._file_mode not in (None, stat.S_IMODE(status.st_mode)):
            os.fchmod(descriptor, self._file_mode)
        if self._group is None:
            self._group = os.stat(self._root).st_gid
        if status.st_gid != self._group:
            with contextlib.suppress(PermissionError):
                os.fchown(descriptor, -1, self._group)
        return status

    def _replace(self, part: str, path: str) -> None:
        try:
            os.replace(part, path)
        except IsADirectoryError:
            os.rmdir(path)  # an empty folder makes way, as in Django; others are an error
            os.replace(part, path)


def make_folders(folder: str, mode: int | None) -> None:
    """Make ``folder`` and those above it; those that are made get ``mode``, whatever the umask."""
    try:
        _make_folder(folder, mode)
    except FileNotFoundError:
        make_folders(os.path.dirname(folder), mode)
        _make_folder(folder, mode)


def _make_folder(folder: str, mode: int | None) -> None:
    try:
        os.mkdir(folder)
    except FileExistsError:
        if os.path.isdir(folder):
            return
        raise
    if mode is not None:
        os.chmod(folder, mode)


def cannot_write(name: str, path: str, error: OSError) -> UploadError:
    """Why ``path`` cannot be written, in a sentence."""
    if error.errno in _IS_A_FOLDER:
        why = "there is a folder of that name"
    elif error.errno in _NOT_A_FOLDER and (culprit := _culprit(path)):
        why = f"{culprit} is not a folder"
    else:
        why = error.strerror or type(error).__name__
    return UploadError(f"{name}: cannot write {path}: {why}.", name=name)


def _culprit(path: str) -> str:
    """What is where a folder of ``path`` should be."""
    folder = os.path.dirname(path)
    while not os.path.lexists(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    return "" if os.path.isdir(folder) else folder


def _fill(descriptor: int, file: SourceFile, data: bytes | None) -> bytes:
    """Write ``data``, or the large file itself. Returns the xxh3_128 of the very bytes written."""
    data = file.data if data is None else data
    if data is None:
        return _copy(descriptor, file)
    _write_all(descriptor, memoryview(data))
    return xxhash.xxh3_128_digest(data)


def _copy(descriptor: int, file: SourceFile) -> bytes:
    xxh3 = xxhash.xxh3_128()
    buffer = memoryview(bytearray(CHUNK))
    total = 0
    try:
        source = open(file.path, "rb", buffering=0)  # noqa: SIM115 - closed below
    except OSError as error:
        raise unreadable(file, error) from error
    with source:
        before = os.fstat(source.fileno())
        # A file that grows as fast as it is read would never end.
        while total <= before.st_size and (count := _read(source, buffer, file)):
            xxh3.update(buffer[:count])
            _write_all(descriptor, buffer[:count])
            total += count
        after = os.fstat(source.fileno())
    if total != before.st_size or (before.st_size, before.st_mtime_ns) != (
        after.st_size,
        after.st_mtime_ns,
    ):
        raise changed(file)
    return xxh3.digest()


def _read(source: FileIO, buffer: memoryview, file: SourceFile) -> int:
    try:
        return source.readinto(buffer)
    except OSError as error:
        raise unreadable(file, error) from error


def _write_all(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
