"""A folder of this machine: ``FileSystemStorage``, ``StaticFilesStorage`` and their subclasses."""

from __future__ import annotations

import contextlib
import itertools
import os
from typing import TYPE_CHECKING, Any, ClassVar

import xxhash
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.core.files.storage import FileSystemStorage

from collectfasta.exceptions import DestinationError, SettingError, UploadError
from collectfasta.items import Sent
from collectfasta.strategies.bodies import CHUNK
from collectfasta.strategies.contents import asked, opened
from collectfasta.strategies.disk import paths
from collectfasta.strategies.disk.writing import Writer, cannot_write
from collectfasta.strategies.generic import could_not_delete
from collectfasta.strategies.native import NativeStrategy
from collectfasta.strategies.overrides import overridden

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from collectfasta.items import Digest, RemoteObject, SourceFile

HOOKS = (
    "save",
    "_save",
    "get_available_name",
    "get_alternative_name",
    "is_name_available",
    "exists",
    "open",
    "_open",
    "_ensure_location_group_id",
)
"""Methods that our own way of writing stands in for."""


class FileSystemStrategy(NativeStrategy[Any]):
    """Copies are compared with their sources byte by byte, and replaced atomically."""

    kind: ClassVar[str] = "disk"
    uses_records: ClassVar[bool] = False

    def __init__(self, remote_storage: Any) -> None:
        super().__init__(remote_storage)
        storage = self.remote_storage
        self._root = _root(storage)
        self._paths_are_ours = overridden(storage, StaticFilesStorage, ("path",)) is None or (
            overridden(storage, FileSystemStorage, ("path",)) is None
        )
        self._deletes_itself = overridden(storage, FileSystemStorage, ("delete",)) is not None
        self._why = overridden(storage, FileSystemStorage, HOOKS)
        if self._why is None and not self._paths_are_ours:
            self._why = "path"
        self._writer = Writer(
            self._root, storage.file_permissions_mode, storage.directory_permissions_mode
        )

    def identity(self) -> str:
        return f"{self.kind}:{os.path.realpath(self._root)}"

    def fingerprint(self, name: str) -> str:  # noqa: ARG002 - a file has no headers
        return ""

    def transport(self) -> str:
        if self._why is None:
            return "disk: copied beside its place and moved there"
        return f"disk: the storage's own save, because {self._why} is overridden"

    def threads_for(self, files: int) -> int:  # noqa: ARG002 - a local disk gains little from many
        """On a network's file system, where each call waits, COLLECTFASTA_THREADS may say more."""
        return max(2, min(4, os.cpu_count() or 2))

    def beside(self, name: str) -> str | None:
        try:
            return self._path(name)
        except UploadError:
            return None

    def refused(self, names: Sequence[str]) -> dict[str, str]:
        """The second of two names that are one file here."""
        collisions = paths.collisions(names, self._root)
        return {
            name: f"{name}: {kept} is the same file at the destination, which is blind to the "
            "difference. Rename one of them."
            for name, kept in collisions.items()
        }

    def list(self, names: Sequence[str]) -> Iterator[Iterable[RemoteObject]]:
        """A page per folder. Only our names are looked at, whatever else there is."""
        for folder, members in itertools.groupby(names, os.path.dirname):
            path = self.beside(folder) if folder else self._root
            if path is None or (self._paths_are_ours and not os.path.isdir(path)):
                continue
            yield [seen for name in members if (seen := self.head(name)) is not None]

    def head(self, name: str) -> RemoteObject | None:
        path = self.beside(name)
        return None if path is None else paths.look(name, path)

    def same_bytes(self, file: SourceFile, digest: Digest, remote: RemoteObject) -> bool | None:
        if remote.etag == paths.LINK:
            return False
        if digest.same is not None:
            return digest.same
        try:
            return _xxh3(self._path(file.name)) == digest.xxh3
        except OSError:
            return None

    def upload(self, file: SourceFile) -> Sent:
        path = self._path(file.name)
        return self._writer.write(file, path) if self._why is None else self._save(file, path)

    def list_all(self) -> Iterator[str]:
        """With a ``path`` of the storage's own, only what that finds where it is."""
        for name in paths.walk(self._root):
            if self._paths_are_ours or self.beside(name) == os.path.join(self._root, name):
                yield name

    def delete(self, names: Sequence[str]) -> None:
        """Folders stay, as in Django."""
        failed = []
        for name in names:
            try:
                asked(name, "cannot be deleted", self._delete, name)
            except UploadError as error:
                failed.append(str(error).rstrip("."))
        if failed:
            raise DestinationError(could_not_delete(failed))

    def interrupt(self) -> None:
        self._writer.interrupt()

    def get_remote_file_hash(self, prefixed_path: str) -> str | None:
        """The MD5 of the copy, for custom strategies."""
        try:
            return self.get_local_file_hash(prefixed_path, self.remote_storage)
        except FileNotFoundError:
            return None

    def _delete(self, name: str) -> None:
        path = self._path(name)
        if self._deletes_itself and not os.path.islink(path):
            self.remote_storage.delete(name)
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    # -- paths ----------------------------------------------------------------------------------

    def _path(self, name: str) -> str:
        """``storage.path``, without its cost for names that cannot mean anything special.

        Raises ``UploadError`` for a name that would leave the location.
        """
        if self._paths_are_ours and _is_simple(name):
            return f"{self._root}/{name}"
        if "\0" in name:
            raise UploadError(f"{name!a}: no file can have such a name.", name=name)
        try:
            return str(self.remote_storage.path(name))
        except SuspiciousOperation as error:
            raise UploadError(f"{name!a}: it would leave the location.", name=name) from error

    # -- the storage's own save -----------------------------------------------------------------

    def _save(self, file: SourceFile, path: str) -> Sent:
        """What was there moves aside first where the storage would not overwrite it, or would write
        through a link; and comes back if saving fails."""
        with opened(file) as content:
            aside = self._move_aside(file.name, path)
            try:
                save = self.remote_storage.save
                saved = asked(file.name, "cannot be saved", save, file.name, content.file)
                if saved != file.name and os.path.join(self._root, saved) != path:
                    self._misnamed(file.name, saved)
            except BaseException:
                if aside is not None:
                    os.replace(aside, path)
                raise
            if aside is not None:
                os.unlink(aside)
        xxh3 = content.xxh3()
        return Sent(_proven(path, xxh3), xxh3 or b"", file.size)

    def _move_aside(self, name: str, path: str) -> str | None:
        if not os.path.lexists(path):
            return None
        if not os.path.islink(path):
            available = self.remote_storage.get_available_name
            if asked(name, "cannot be saved", available, name) == name:
                return None
        aside = self._writer.part(os.path.dirname(path))
        try:
            if os.path.isdir(path) and not os.path.islink(path):
                os.rmdir(path)  # an empty folder makes way, as in Django; others are an error
                return None
            os.rename(path, aside)
        except OSError as error:
            raise cannot_write(name, path, error) from error
        return aside

    def _misnamed(self, name: str, saved: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self._path(saved))
        raise UploadError(
            f"{name}: the storage saved it as {saved!r} instead; that has been deleted again.",
            name=name,
        )


class CachingFileSystemStrategy(FileSystemStrategy):
    """A copy that has not been touched since we wrote it is not read again: size, modification time
    and inode are in the checksum cache."""

    uses_records: ClassVar[bool] = True


def _root(storage: Any) -> str:
    """The folder itself. Raises ``SettingError`` where none is set."""
    if not storage.location:
        try:
            storage.path("")
        except ImproperlyConfigured as error:
            raise SettingError(" ".join(str(error).split())) from error
    return os.path.abspath(storage.location)


def _is_simple(name: str) -> bool:
    """Whether joining it to a folder cannot lead elsewhere, and needs no normalising."""
    return not (
        name.startswith(("/", "."))
        or name.endswith("/")
        or "//" in name
        or "/." in name
        or "\0" in name
    ) and bool(name)


def _xxh3(path: str) -> bytes:
    xxh3 = xxhash.xxh3_128()
    with open(path, "rb", buffering=0) as copy:
        while chunk := copy.read(CHUNK):
            xxh3.update(chunk)
    return xxh3.digest()


def _proven(path: str, xxh3: bytes | None) -> str:
    """The etag of what is at ``path``, if it holds just these bytes; else nothing, for another run
    may have written it, or the storage may change what it saves."""
    try:
        etag = paths.etag_of(os.lstat(path))
        same = xxh3 is not None and _xxh3(path) == xxh3
        return etag if same and etag == paths.etag_of(os.lstat(path)) else ""
    except OSError:
        return ""
