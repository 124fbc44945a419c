"""A site on the store, and strategies that give up soon."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from collectfasta.pipeline import lookups
from collectfasta.strategies.s3 import client, fast
from tests import support
from tests.places import S3Bucket

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scripts.benchmarks.store import Store

FILES = {
    "a.css": b"a{}",
    "css/b.css": b"b{}" * 500,
    "css/c.css": b"c{}",
    "js/d.js": b"d()" * 9000,
    "js/e é.js": b"",
    "f.txt": b"plain",
}
DISK = "django.contrib.staticfiles.storage.StaticFilesStorage"
DUMMY = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}


@dataclass
class Site:
    """A tree, and the store that it is published to."""

    source: Path
    store: Store
    caches: dict[str, Any] = field(default_factory=lambda: DUMMY)
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        endpoint = self.options.pop("endpoint_url", self.store.url)
        storages = S3Bucket(endpoint, self.store.name).storages("static", **self.options)
        return {
            "STATICFILES_DIRS": [str(self.source)],
            "STORAGES": storages,
            "CACHES": self.caches,
            "COLLECTFASTA_THREADS": 4,
        }

    def collect(self, *args: str, **more: Any) -> support.Result:
        return support.collect(*args, settings={**self.settings, **more})

    def write(self, **files: bytes) -> None:
        """Edit files, ``/`` and ``.`` written as ``__`` and ``_``."""
        support.write_tree(
            self.source, {n.replace("__", "/").replace("_", "."): d for n, d in files.items()}
        )

    def published(self) -> dict[str, bytes]:
        return {k.removeprefix("static/"): o.body for k, o in self.store.objects.items()}

    def sent(self) -> list[str]:
        """The names of all uploads since the store last forgot, sorted."""
        puts = [entry for entry in self.store.log if entry.method == "PUT" and entry.key]
        return sorted(entry.key.removeprefix("static/") for entry in puts)


def on_disk(source: Path, root: Path) -> dict[str, Any]:
    """Settings of a project that collects to ``root``."""
    return {
        "STATICFILES_DIRS": [str(source)],
        "STATIC_ROOT": str(root),
        "STORAGES": support.static_storages(DISK),
    }


def tree_at(root: Path) -> dict[str, bytes]:
    """Every file there, hidden and unfinished ones too."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def site(store: Store, tree: Callable[..., Path]) -> Site:
    """Without a lasting cache."""
    return Site(tree(FILES), store)


@pytest.fixture
def remembering(site: Site, caches: dict[str, Any]) -> Site:
    """With memcached."""
    site.caches = caches
    return site


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """One retry instead of dozens, and a second or two instead of minutes."""
    build, options = fast.Options.store, client._options

    def soon(self: fast.Options, seconds: float, headers: Any, retries: int) -> Any:
        return build(self, min(seconds, 1.0), headers, min(retries, 1))

    def few(given: Any, threads: int) -> dict[str, Any]:
        return {**options(given, threads), "read_timeout": 1.0}

    monkeypatch.setattr(fast.Options, "store", soon)
    monkeypatch.setattr(client, "_options", few)
    monkeypatch.setattr(client, "ATTEMPTS", 2)
    monkeypatch.setattr(lookups, "CACHE_PATIENCE", 0.5)
