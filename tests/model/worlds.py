"""The destinations of the model: what is there, what goes wrong there, and their settings.

Keys are full keys, with the location; names are without it. A world's faults strike at keys that
match a glob, until ``calm``; ``struck`` are the keys that an upload has failed for.
"""

from __future__ import annotations

import errno
import fnmatch
import hashlib
import os
import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from collectfasta.strategies.disk import writing
from collectfasta.strategies.s3 import client
from scripts.benchmarks.bucket import StoredObject
from scripts.benchmarks.faults import Kind
from scripts.benchmarks.store import Store
from tests import servers
from tests.model import cache, finder, oracle
from tests.support import static_storages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

LOCATION = "static"
Object = tuple[bytes, tuple[tuple[str, str], ...]]
"""Bytes as they are stored, and the headers that matter, sorted."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How the storage is configured."""

    cache_control: str = ""
    gzip: bool = False
    manifest: bool = False


@dataclass
class World:
    """What all destinations share."""

    folder: Path
    faults: dict[str, str] = field(default_factory=dict)
    struck: set[str] = field(default_factory=set)

    has_headers: ClassVar[bool] = True
    has_gzip: ClassVar[bool] = True
    stumbles: ClassVar[bool] = True
    """Whether something may fail once and succeed when it is tried again."""
    etag_shows_headers: ClassVar[bool] = False
    """Whether what the listing shows changes when an object is written with the same bytes."""

    def settings(self, setup: Setup) -> dict[str, Any]:
        """Settings of the project."""
        return {
            "STORAGES": self.storages(setup),
            "STATIC_URL": "/static/",
            "STATICFILES_FINDERS": [finder.PATH],
            "CACHES": cache.SETTING,
            "COLLECTFASTA_THREADS": 4,
        }

    def storages(self, setup: Setup) -> dict[str, Any]:
        raise NotImplementedError

    def objects(self) -> dict[str, Object]:
        """Everything there is, by key."""
        raise NotImplementedError

    def put(self, key: str, body: bytes, headers: dict[str, str]) -> None:
        """As somebody else would write it."""
        raise NotImplementedError

    def delete(self, key: str) -> None:
        raise NotImplementedError

    def headers(self, name: str, setup: Setup) -> dict[str, str]:
        """What ``name`` is to be sent with."""
        if not self.has_headers:
            return {}
        kind = oracle.content_type(name)
        headers = {"content-type": kind}
        if setup.cache_control:
            headers["cache-control"] = setup.cache_control
        if setup.gzip and kind in oracle.GZIPPED:
            headers["content-encoding"] = "gzip"
        return headers

    def fault(self, glob: str, kind: str) -> None:
        """``kind``: ``refuse`` for good, or ``once``."""
        self.faults[glob] = kind

    def calm(self) -> None:
        """All is well again."""
        self.faults.clear()
        self.struck.clear()

    def settle(self) -> None:
        """Return when nothing is on its way any more."""

    def close(self) -> None:
        """Let go of everything."""


@dataclass
class Disk(World):
    """A folder; ``location`` is a folder in it. Uploads fail as a full disk makes them fail."""

    has_headers: ClassVar[bool] = False
    has_gzip: ClassVar[bool] = False
    stumbles: ClassVar[bool] = False
    etag_shows_headers: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self.root = self.folder / "destination"
        self.root.mkdir()
        self._fill: Callable[..., bytes] = writing._fill
        writing._fill = self._failing_fill

    def _failing_fill(self, descriptor: int, file: Any, data: bytes | None) -> bytes:
        for glob in self.faults:
            if fnmatch.fnmatchcase(f"{LOCATION}/{file.name}", glob):
                self.struck.add(f"{LOCATION}/{file.name}")
                os.write(descriptor, b"half")
                raise OSError(errno.ENOSPC, "No space left on device")
        return self._fill(descriptor, file, data)

    def storages(self, setup: Setup) -> dict[str, Any]:
        kind = "ManifestStaticFilesStorage" if setup.manifest else "StaticFilesStorage"
        return static_storages(
            f"django.contrib.staticfiles.storage.{kind}",
            {"location": str(self.root / LOCATION), "base_url": "/static/"},
        )

    def objects(self) -> dict[str, Object]:
        return {
            path.relative_to(self.root).as_posix(): (path.read_bytes(), ())
            for path in self.root.rglob("*")
            if path.is_file()
        }

    def put(self, key: str, body: bytes, headers: dict[str, str]) -> None:
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def delete(self, key: str) -> None:
        (self.root / key).unlink()

    def close(self) -> None:
        writing._fill = self._fill
        shutil.rmtree(self.root)


@dataclass
class CachingDisk(Disk):
    """The same with records of size, time and inode."""

    def settings(self, setup: Setup) -> dict[str, Any]:
        strategy = "collectfasta.strategies.filesystem.CachingFileSystemStrategy"
        return {**super().settings(setup), "COLLECTFASTA_STRATEGY": strategy}


@dataclass
class S3(World):
    """A bucket of the store. ``opaque``: its ETags are no MD5s, as with SSE-KMS."""

    store: Store = field(default_factory=Store)
    opaque: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self._clients: dict[str, Any] = {}
        self._build = client._build
        client._build = self._kept_client
        self.store.start()
        self.store.opaque_etags = self.opaque

    def _kept_client(self, storage: Any, session: Any, options: Mapping[str, Any]) -> Any:
        """Making one takes longer than all else that a small run does."""
        key = f"{storage.endpoint_url} {sorted(options.items())}"
        if key not in self._clients:
            self._clients[key] = self._build(storage, session, options)
        return self._clients[key]

    def storages(self, setup: Setup) -> dict[str, Any]:
        kind = "S3ManifestStaticStorage" if setup.manifest else "S3StaticStorage"
        options: dict[str, Any] = {
            "bucket_name": self.store.name,
            "endpoint_url": self.store.url,
            "access_key": servers.S3_KEY,
            "secret_key": servers.S3_SECRET,
            "region_name": "us-east-1",
            "addressing_style": "path",
            "location": LOCATION,
            "gzip": setup.gzip,
        }
        if setup.cache_control:
            options["object_parameters"] = {"CacheControl": setup.cache_control}
        return static_storages(f"storages.backends.s3.{kind}", options)

    def objects(self) -> dict[str, Object]:
        names = ("content-type", "cache-control", "content-encoding")
        return {
            key: (
                stored.body,
                tuple(sorted((n, v) for n, v in stored.headers.items() if n in names)),
            )
            for key, stored in self.store.objects.items()
        }

    def put(self, key: str, body: bytes, headers: dict[str, str]) -> None:
        etag = hashlib.md5(body).hexdigest() if not self.opaque else os.urandom(16).hex()
        self.store.objects[key] = StoredObject(body, etag, dict(headers), time.time())

    def delete(self, key: str) -> None:
        del self.store.objects[key]

    def fault(self, glob: str, kind: str) -> None:
        for operation in ("PutObject", "CompleteMultipartUpload"):
            if kind == "refuse":
                self.store.fail(operation, key=glob, status=403)
            elif kind == "throttle":
                self.store.fail(operation, key=glob, status=503, times=1, retry_after=0)
            else:
                self.store.strike(Kind.RESET, operation, key=glob, times=1)

    def calm(self) -> None:
        super().calm()
        self.store.faults.clear()
        self.store.forget()

    def settle(self) -> None:
        self.store.wait_for(lambda store: not store.in_flight)
        self.struck = {
            entry.key for entry in list(self.store.log) if entry.status == 403 and entry.key
        }

    def close(self) -> None:
        client._build = self._build
        self.store.stop()


@dataclass
class OpaqueS3(S3):
    """SSE-KMS: only records can prove anything."""

    opaque: ClassVar[bool] = True
    etag_shows_headers: ClassVar[bool] = True
