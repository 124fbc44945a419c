"""A destination in memory for tests of the pipeline: it does what a storage does, and can fail."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING, Any

from xxhash import xxh3_128

from collectfasta.exceptions import ListingForbidden
from collectfasta.items import Digest, RemoteObject, Sent, SourceFile
from collectfasta.strategies.native import NativeStrategy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


class MemoryStrategy(NativeStrategy[Any]):
    """Objects are ``name → (bytes, etag)``; every call is logged as ``(method, name)``."""

    kind = "memory"

    def __init__(self, *, listable: bool = True) -> None:
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.log: list[tuple[str, str]] = []
        self.headers = "h1"
        self.listable = listable
        self.damaged: dict[str, str] = {}
        self.before_upload: Callable[[SourceFile], None] = lambda file: None
        self.header_answer = True
        self.etag_of: Callable[[bytes], str] = lambda data: ""
        self.closed = 0
        self._lock = threading.Lock()
        self._writes = 0
        super().__init__(None)

    def identity(self) -> str:
        return "memory"

    def fingerprint(self, name: str) -> str:
        return self.headers

    def list(self, names: Sequence[str]) -> Iterator[Iterable[RemoteObject]]:
        self.log.append(("list", ""))
        if not self.listable:
            raise ListingForbidden("Listing is forbidden.")
        yield [self._remote(name) for name in sorted(self.objects)]

    def _remote(self, name: str) -> RemoteObject:
        data, etag = self.objects[name]
        return RemoteObject(name, len(data), etag, "md5:" + hashlib.md5(data).hexdigest())

    def list_all(self) -> Iterator[str]:
        yield from sorted(self.objects)

    def head(self, name: str) -> RemoteObject | None:
        self.log.append(("head", name))
        return self._remote(name) if name in self.objects else None

    def same_bytes(self, file: SourceFile, digest: Digest, remote: RemoteObject) -> bool | None:
        self.log.append(("compare", file.name))
        return digest.md5 is not None and remote.checksum == "md5:" + digest.md5.hex()

    def same_headers(self, file: SourceFile) -> bool:
        self.log.append(("headers", file.name))
        return self.header_answer

    def read_ahead(self, file: SourceFile) -> None:
        self.log.append(("ahead", file.name))

    def upload(self, file: SourceFile) -> Sent:
        self.before_upload(file)
        if file.data is not None:
            data = file.data
        else:
            with open(file.path, "rb") as source:
                data = source.read()
        return self.put(file.name, data)

    def put(self, name: str, data: bytes) -> Sent:
        """Write an object, as this run or as somebody else would."""
        with self._lock:
            self._writes += 1
            etag = self.etag_of(data) or f"e{self._writes}"
            self.objects[name] = (data, etag)
            self.log.append(("put", name))
        return Sent(etag, xxh3_128(data).digest(), len(data))

    def unjudged(self) -> dict[str, str]:
        return self.damaged

    def delete(self, names: Sequence[str]) -> None:
        for name in names:
            self.log.append(("delete", name))
            del self.objects[name]

    def close(self) -> None:
        self.closed += 1

    def did(self, method: str) -> Sequence[str]:
        """The names that ``method`` was called for, sorted."""
        return sorted(name for called, name in self.log if called == method)
