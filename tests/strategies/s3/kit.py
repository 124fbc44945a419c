"""What the tests of S3 share: storages over a store on loopback, and the transports."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import xxhash
from storages.backends.s3 import S3StaticStorage

from collectfasta.items import Digest, RemoteObject, SourceFile
from collectfasta.strategies.boto3 import Boto3Strategy

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from scripts.benchmarks.store import Store

MIB = 1024 * 1024
ONLY_SDK = "AWS_SKIP_SIGNATURE"
"""A variable that obstore would obey and boto3 would not: while it is set, the SDK sends."""


class Watched:
    """A replaced method that does what it always did: files are sent by the storage's ``save``."""

    def exists(self, name: str) -> bool:
        found: bool = super().exists(name)  # type: ignore[misc]  # of the storage
        return found


def storage(url: str, *mixins: type, **options: Any) -> Any:
    """A storage of ``mixins`` over the bucket ``static`` at ``url``."""
    given = {
        "bucket_name": "static",
        "endpoint_url": url,
        "access_key": "key",
        "secret_key": "a secret",
        "region_name": "us-east-1",
        "addressing_style": "path",
        **options,
    }
    return type("Mine", (*mixins, S3StaticStorage), {})(**given)


@dataclass(frozen=True, slots=True)
class Transport:
    """One of the three ways: ``opened`` gives a strategy that goes it."""

    name: str
    store: Store

    def opened(self, *mixins: type, **options: Any) -> Boto3Strategy:
        mixins = (*mixins, Watched) if self.name == "save" else mixins
        strategy = Boto3Strategy(storage(self.store.url, *mixins, **options))
        strategy.open(4)
        assert self.name in strategy.transport()
        return strategy


def only_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ONLY_SDK, "false")


def opened(store: Store, *mixins: type, **options: Any) -> Boto3Strategy:
    strategy = Boto3Strategy(storage(store.url, *mixins, **options))
    strategy.open(4)
    return strategy


def source(name: str, data: bytes = b"body { color: red }") -> SourceFile:
    """A file whose bytes are in memory."""
    return SourceFile("", name, len(data), data)


def digest(file: SourceFile, *, md5: bool = True) -> Digest:
    """What the hash stage finds."""
    data = file.data or b""
    found = hashlib.md5(data).digest() if md5 else None
    return Digest(xxhash.xxh3_128_digest(data), found, len(data))


def listing(strategy: Boto3Strategy, names: Iterable[str]) -> dict[str, RemoteObject]:
    return {remote.name: remote for page in strategy.list(sorted(names)) for remote in page}


def kept(store: Store, key: str) -> dict[str, str]:
    """The headers that an object keeps, without the checksums of the SDK's own choice."""
    headers = store.objects[key].headers
    return {name: value for name, value in headers.items() if not name.startswith("x-amz-checksum")}
