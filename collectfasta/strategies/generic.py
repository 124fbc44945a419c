"""Any other storage, through nothing but the methods that every Django storage has."""

from __future__ import annotations

import hashlib
import inspect
import posixpath
import time
from typing import TYPE_CHECKING, Any, ClassVar

import xxhash

from collectfasta.exceptions import DestinationError, ListingForbidden, UploadError
from collectfasta.items import RemoteObject, Sent
from collectfasta.strategies.bodies import CHUNK
from collectfasta.strategies.contents import UnsupportedError, asked, one_line, opened
from collectfasta.strategies.native import NativeStrategy
from collectfasta.strategies.overrides import overridden

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from collectfasta.items import Digest, SourceFile

UNKNOWN_SIZE = -1
SETTLED = 10.0
"""Seconds after which a modification time in whole seconds tells one write from the next, with
some allowance for two clocks that differ."""

_PLAIN = (str, int, float, bool, tuple)
_FEW = 5


class GenericStrategy(NativeStrategy[Any]):
    """Works with any ``Storage``, at one look-up per file.

    What is there is proven to be the same by reading it. Where the storage tells when a file was
    modified, that is remembered, and next time spares the reading.
    """

    kind: ClassVar[str] = "storage"

    def identity(self) -> str:
        return (
            f"{self.kind}:{_class_name(self.remote_storage)}:{_configuration(self.remote_storage)}"
        )

    def fingerprint(self, name: str) -> str:  # noqa: ARG002 - what it sends, it does not tell
        return ""

    def transport(self) -> str:
        return f"the storage's own save, because nothing faster is known for {self._name}"

    def threads_for(self, files: int) -> int:  # noqa: ARG002 - nobody knows what it bears
        return 16

    @property
    def _name(self) -> str:
        return _class_name(self.remote_storage)

    def list(self, names: Sequence[str]) -> Iterator[Iterable[RemoteObject]]:  # noqa: ARG002 - none
        raise ListingForbidden("")  # not a right that is missing: it has no such method

    def head(self, name: str) -> RemoteObject | None:
        """Raises ``UploadError`` if the storage does not answer."""
        storage = self.remote_storage
        if not asked(name, "cannot look it up", storage.exists, name):
            return None
        try:
            size = int(asked(name, "cannot look up its size", storage.size, name))
        except UnsupportedError:
            size = UNKNOWN_SIZE
        return RemoteObject(name, size, self._etag(name))

    def same_bytes(self, file: SourceFile, digest: Digest, remote: RemoteObject) -> bool | None:
        """Reads what is there."""
        if remote.size not in (digest.size, UNKNOWN_SIZE):
            return False
        try:
            there = asked(file.name, "cannot read what is there", self._read, file.name)
        except UnsupportedError:
            return None
        return bool(there == digest.xxh3)

    def upload(self, file: SourceFile) -> Sent:
        with opened(file) as content:
            self._make_room(file.name)
            saved = asked(
                file.name, "cannot be saved", self.remote_storage.save, file.name, content.file
            )
            if saved != file.name:
                self._misnamed(file.name, saved)
        # No etag: nobody knows whose write a modification time tells of. The next run reads it.
        return Sent("", content.xxh3() or b"", file.size)

    def list_all(self) -> Iterator[str]:
        folders = [""]
        while folders:
            folder = folders.pop()
            below, files = self._listdir(folder)
            for name in sorted(files):
                yield posixpath.join(folder, name)
            folders += [posixpath.join(folder, name) for name in below if name not in ("", ".")]

    def delete(self, names: Sequence[str]) -> None:
        failed = []
        for name in names:
            try:
                self.remote_storage.delete(name)
            except Exception as error:  # noqa: BLE001 - an unknown storage raises what it likes
                failed.append(f"{name} ({one_line(error)})")
        if failed:
            raise DestinationError(could_not_delete(failed))

    def _make_room(self, name: str) -> None:
        """Delete ``name``, where the storage would otherwise save under another name.

        There is no other way to replace a file there. Its new bytes are at hand, saved next.
        """
        from django.core.files.storage import Storage

        storage = self.remote_storage
        if overridden(storage, Storage, ("save",)):
            return  # whether it makes names of its own, only saving shows
        if asked(name, "cannot be saved", storage.get_available_name, name) != name and asked(
            name, "cannot look it up", storage.exists, name
        ):
            asked(name, "cannot be replaced", storage.delete, name)

    def _misnamed(self, name: str, saved: str) -> None:
        asked(
            name,
            f"was saved as {saved!r}, which cannot be deleted",
            self.remote_storage.delete,
            saved,
        )
        raise UploadError(
            f"{name}: the storage saved it as {saved!r} instead; that has been deleted again.",
            name=name,
        )

    def _read(self, name: str) -> bytes:
        """The xxh3_128 of what is there."""
        xxh3 = xxhash.xxh3_128()
        with self.remote_storage.open(name, "rb") as remote:
            for chunk in remote.chunks(CHUNK):
                xxh3.update(chunk.encode() if isinstance(chunk, str) else chunk)
        return xxh3.digest()

    def _etag(self, name: str) -> str:
        """The modification time; nothing where there is none, or where two writes may share it."""
        try:
            return str(asked(name, "cannot look up its time", self._modified, name))
        except UploadError:
            return ""

    def _modified(self, name: str) -> str:
        modified = self.remote_storage.get_modified_time(name)
        if not modified.microsecond and abs(time.time() - modified.timestamp()) < SETTLED:
            return ""
        return str(modified.isoformat())

    def _listdir(self, folder: str) -> tuple[Iterable[str], Iterable[str]]:
        try:
            return self.remote_storage.listdir(folder)
        except FileNotFoundError:
            return (), ()
        except NotImplementedError as error:
            raise DestinationError(
                f"{self._name} cannot list its files, so --clear cannot be used with it."
            ) from error
        except Exception as error:
            raise DestinationError(f"{self._name} cannot be listed: {one_line(error)}.") from error


def could_not_delete(failed: Sequence[str]) -> str:
    """The sentence about those, not all of them named if they are many."""
    more = f" and {len(failed) - _FEW} more" if len(failed) > _FEW else ""
    return f"Could not delete {', '.join(failed[:_FEW])}{more}."


def _class_name(storage: object) -> str:
    return f"{type(storage).__module__}.{type(storage).__qualname__}"


def _configuration(storage: object) -> str:
    """A hash of the storage's plain attributes: two places of one class differ in some of them."""
    kind = type(storage)
    plain = {
        name: value
        for name in dir(storage)
        if not name.startswith("__")
        and not hasattr(inspect.getattr_static(kind, name, None), "__get__")
        and isinstance(value := inspect.getattr_static(storage, name, None), _PLAIN)
    }
    return hashlib.blake2b(repr(sorted(plain.items())).encode(), digest_size=16).hexdigest()
