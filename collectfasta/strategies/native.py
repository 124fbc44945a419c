"""What a run asks of a storage: the interface that every strategy of our own implements."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from collectfasta.strategies.base import HashStrategy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from django.core.files.storage import Storage

    from collectfasta.items import Digest, RemoteObject, Sent, SourceFile

S = TypeVar("S")


class NativeStrategy(HashStrategy[S]):
    """One storage as a run sees it.

    Methods that do I/O are called from worker threads, several at once, never from the main
    thread. They raise ``DestinationError`` when the storage as a whole cannot be used, and
    ``UploadError`` for one file. Names are the storage's own (``SourceFile.name``), never with the
    location.
    """

    kind: ClassVar[str]
    """A short word for the kind of storage, part of the storage identity: ``s3``, ``gcs``…"""

    uses_records: ClassVar[bool] = True
    """Whether the checksum cache can spare work; a disk is compared byte by byte instead."""

    shows_headers: ClassVar[bool] = False
    """Whether what proves the bytes shows the headers too, so that they are always checked."""

    def __init__(self, remote_storage: S) -> None:
        super().__init__(self.wrap_storage(remote_storage))

    # -- facts, without I/O -------------------------------------------------------------------

    @abstractmethod
    def identity(self) -> str:
        """Kind, endpoint, bucket or container, and location: what no two destinations share."""

    @abstractmethod
    def fingerprint(self, name: str) -> str:
        """A short hash of the headers that ``name`` would be sent with; empty if it has none."""

    def transport(self) -> str:
        """Which way files travel, and why if it is not the fast one: a phrase for ``-v2``."""
        return self.kind

    def encodes(self, name: str) -> bool:  # noqa: ARG002 - most storages never do
        """Whether ``name`` is stored encoded (gzip), so that its size there says nothing."""
        return False

    def sent_as(self, name: str) -> tuple[str, bool]:
        """``fingerprint`` and ``encodes``, for whoever needs both."""
        return self.fingerprint(name), self.encodes(name)

    def beside(self, name: str) -> str | None:  # noqa: ARG002 - only a disk has one
        """The local path where ``name`` is published, if the storage is a disk: hashing compares
        the two files byte by byte while it is at it."""
        return None

    def threads_for(self, files: int) -> int:
        """How many I/O threads are good for so many files, where the user has not said."""
        return 256 if files > 4_000 else 128 if files > 1_000 else 64

    def refused(self, names: Sequence[str]) -> dict[str, str]:  # noqa: ARG002 - most hold any name
        """Those of ``names`` that the storage cannot hold, each with a sentence that says why."""
        return {}

    # -- I/O, in worker threads -----------------------------------------------------------------

    def open(self, threads: int) -> None:
        """Build what later calls need: clients, pools as wide as ``threads``. Called once."""

    @abstractmethod
    def list(self, names: Sequence[str]) -> Iterator[Iterable[RemoteObject]]:
        """Pages of what the storage holds; at least every one of ``names`` (sorted) that exists.

        May yield names that nobody asked for. Raises ``ListingForbidden``.
        """

    @abstractmethod
    def list_all(self) -> Iterator[str]:
        """Every name under the location, and nothing outside it: what ``--clear`` may delete."""

    @abstractmethod
    def head(self, name: str) -> RemoteObject | None:
        """One object, where listing is forbidden."""

    @abstractmethod
    def same_bytes(self, file: SourceFile, digest: Digest, remote: RemoteObject) -> bool | None:
        """Whether ``remote`` holds what would be sent for ``file``. ``None``: cannot be told.

        May read the file again (gzip, multipart). Called only where no record proves it, and,
        unless :meth:`encodes`, only where the sizes are equal.
        """

    def same_headers(self, file: SourceFile) -> bool:  # noqa: ARG002 - a disk has no headers
        """One look at the object's own headers: are they what would be sent?"""
        return True

    def read_ahead(self, file: SourceFile) -> None:
        """A hint, given by one thread for all: ``upload`` is soon called with ``file``, and what it
        has to read may be read now. Raises nothing."""

    @abstractmethod
    def upload(self, file: SourceFile) -> Sent:
        """Write ``file`` in place under exactly its name, with the SDK's (or one) layer of retries.

        What it returns is the digest of the very bytes it has sent.
        """

    def unjudged(self) -> dict[str, str]:
        """Called after the last upload: names whose upload turned out to be damaged, with what is
        wrong in a sentence. Such a file has failed. (See ETags in docs/reliability.md.)"""
        return {}

    @abstractmethod
    def delete(self, names: Sequence[str]) -> None:
        """Delete in bulk. Raises ``DestinationError`` that names what could not be deleted."""

    def close(self) -> None:
        """Let go of connections. Called once, last, whatever happened."""

    def interrupt(self) -> None:
        """Ctrl-C: wake what can be woken. Called from the main thread; must not block."""

    def log_details(self) -> dict[str, Any]:
        """More facts for ``--report``: plain values only, no credentials."""
        return {}

    # -- for subclasses in the manner of the original package -------------------------------------

    def should_copy_file(self, path: str, prefixed_path: str, local_storage: Storage) -> bool:
        """For a subclass's own to hand on: decide as usual. Where its truth is asked for, that is
        decided on the spot."""
        from collectfasta.strategies.legacy import AsUsual

        return AsUsual(self, path, prefixed_path, local_storage)  # type: ignore[return-value]  # in time

    def get_remote_file_hash(self, prefixed_path: str) -> str | None:
        """The checksum the storage shows, else its etag; ``None``: nothing there. One look-up."""
        remote = self.head(prefixed_path)
        return None if remote is None else remote.checksum.partition(":")[2] or remote.etag
