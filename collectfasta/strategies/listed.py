"""What the Google and the Azure strategy share: listings that show headers."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from collectfasta.items import Sent
from collectfasta.strategies.naming import NamedStrategy
from collectfasta.strategies.objects import MIB
from collectfasta.strategies.ownsave import OwnSave

if TYPE_CHECKING:
    from collections.abc import Mapping

    from collectfasta.items import RemoteObject, SourceFile
    from collectfasta.strategies.bodies import Body
    from collectfasta.strategies.objects import Headers

S = TypeVar("S")
Shown = tuple[Any, ...]
"""An object's headers, hashable, in the strategy's own order; the storage class comes last."""


class ListedStrategy(NamedStrategy[S]):
    """A storage whose listing shows each object's headers, so that none is looked up by itself.

    A subclass says which methods its fast path replaces, how its storage is set up for a run, and
    how expected and shown headers compare.
    """

    shows_headers = True

    hooks: ClassVar[tuple[str, ...]]
    """Methods that must be the library's own, or else files are sent by the storage's ``save``."""

    in_a_run: ClassVar[Mapping[str, Any]]
    """The storage's options that make its own ``save`` write in place, and in the thread that
    calls: the program cannot end before an SDK's own threads do, even if a server hangs."""

    def __init__(self, remote_storage: S) -> None:
        super().__init__(remote_storage)
        self.threads = 1
        self._why = self.overridden(*self.hooks)
        self._shown: dict[str, tuple[int, Any]] = {}
        self._own_save: OwnSave | None = None

    def transport(self) -> str:
        if self._why is None:
            return f"{self.kind}: the library's client"
        return f"{self.kind}: the storage's own save, because {self._why} is overridden"

    def threads_for(self, files: int) -> int:  # noqa: ARG002 - each file costs the SDK too much time
        return 32

    def open(self, threads: int) -> None:
        self.threads = max(1, threads)
        if self._why is not None:
            self._own_save = OwnSave(self.remote_storage, **self.in_a_run)

    # -- headers --------------------------------------------------------------------------------

    def remember(self, name: str, shown: Shown) -> None:
        """Keep what the listing shows of ``name``, in a few bytes."""
        self._shown[name] = (hash(shown[:-1]), shown[-1])

    @abstractmethod
    def expected(self, headers: Headers) -> Shown:
        """What the listing will show of an object sent with ``headers``; its last element is None
        where the storage leaves the class to the bucket."""

    def same_headers(self, file: SourceFile) -> bool:
        if file.name not in self._shown and self.head(file.name) is None:
            return False
        seen, storage_class = self._shown[file.name]
        *headers, wanted_class = self.expected(self.headers(file.name))
        return seen == hash(tuple(headers)) and wanted_class in (None, storage_class)

    # -- upload ---------------------------------------------------------------------------------

    def judge_body(self, name: str, etag: str, body: Body, headers: Headers) -> None:
        """Already done: the answer to each upload shows the MD5 of what was stored."""

    def read_ahead(self, file: SourceFile) -> None:
        if self._own_save is None:
            super().read_ahead(file)

    def upload(self, file: SourceFile) -> Sent:
        if self._own_save is None:
            return super().upload(file)
        with self.flight.hold(min(file.size, self.large)):
            xxh3 = self._written(file, self._own_save)
        remote: RemoteObject | None = self.head(file.name)
        return Sent(remote.etag if remote is not None else "", xxh3, file.size)

    @abstractmethod
    def _written(self, file: SourceFile, own: OwnSave) -> bytes:
        """``own.write`` with the library's errors translated."""

    def digest(self, file: SourceFile) -> bytes:
        """The xxh3_128 of a file too large for memory."""
        with self.stream(file, self.headers(file.name), md5=False) as stream:
            for _ in stream.parts(MIB):
                pass
            return stream.xxh3
