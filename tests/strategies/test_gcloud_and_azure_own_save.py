"""Google Cloud Storage and Azure Blob Storage where the user's storage has methods of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
import xxhash
from django.core.files.base import ContentFile

from collectfasta.exceptions import SourceError, UploadError
from collectfasta.items import SourceFile
from tests.strategies.clouds import MIB, Cloud, listing, source

if TYPE_CHECKING:
    from pathlib import Path


class Shouting:
    """A user's ``_save`` that changes what is stored."""

    def _save(self, name: str, content: Any) -> str:
        saved: str = super()._save(name, ContentFile(content.read().upper()))  # type: ignore[misc]  # a mixin
        return saved


class Renaming:
    """A user's ``_save`` that stores under another name."""

    def _save(self, name: str, content: Any) -> str:
        saved: str = super()._save(f"other-{name}", content)  # type: ignore[misc]  # a mixin
        return saved


class Deleting:
    """The well-known way to make a storage overwrite: the object is missing for a while."""

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        self.delete(name)
        return name

    def delete(self, name: str) -> None:
        raise AssertionError("nothing is deleted before its replacement is there")


def test_a_save_of_the_users_own_is_used(cloud: Cloud) -> None:
    """In place and under exactly its name, and ``-v2`` can say why."""
    strategy = cloud.open("static", mixin=Shouting)
    assert (
        strategy.transport() == f"{cloud.kind}: the storage's own save, because _save is overridden"
    )
    strategy.upload(source("a.css", b"one"))
    answer = strategy.upload(source("a.css", b"two"))
    assert cloud.place.objects() == {"static/a.css": b"TWO"}
    assert listing(strategy, "a.css")["a.css"].etag == answer.etag
    assert answer.xxh3 == xxhash.xxh3_128_digest(b"two")
    assert cloud.closed().transport() == f"{cloud.kind}: the library's client"


def test_a_large_file_goes_through_the_users_save_from_disk(
    cloud: Cloud, large: SourceFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not from memory; what is recorded is its digest before and after."""
    strategy = cloud.open(mixin=Shouting)
    strategy.large = MIB
    with open(large.path, "rb") as stored:
        data = stored.read()
    assert strategy.upload(large).xxh3 == xxhash.xxh3_128_digest(data)
    assert cloud.place.read("large.bin") == data.upper()
    in_memory = SourceFile("", "memory.bin", 2 * MIB, b"a" * 2 * MIB)
    assert strategy.upload(in_memory).xxh3 == xxhash.xxh3_128_digest(b"a" * 2 * MIB)
    assert cloud.place.read("memory.bin") == b"A" * 2 * MIB

    digests = iter([b"before", b"after"])
    monkeypatch.setattr(strategy, "digest", lambda file: next(digests))
    with pytest.raises(UploadError, match="changed while it was read"):
        strategy.upload(large)
    os.unlink(large.path)
    monkeypatch.setattr(strategy, "digest", lambda file: b"")
    with pytest.raises(SourceError, match=r"large\.bin"):
        strategy.upload(large)


def test_a_save_that_renames_is_an_error(cloud: Cloud) -> None:
    """Nobody would find the file: the name in the page is another."""
    with pytest.raises(UploadError, match=r"^a\.css: .*'other-a\.css'"):
        cloud.open(mixin=Renaming).upload(source("a.css"))


def test_an_overwriting_mixin_deletes_nothing(cloud: Cloud) -> None:
    """Its ``get_available_name`` is not needed: we overwrite anyway."""
    strategy = cloud.open(mixin=Deleting)
    assert "get_available_name" in strategy.transport()
    strategy.upload(source("a.css", b"one"))
    strategy.upload(source("a.css", b"two"))
    assert cloud.place.objects() == {"a.css": b"two"}


def test_a_name_that_the_users_save_refuses_fails_alone(cloud: Cloud) -> None:
    """The storage's own check speaks in one line."""
    with pytest.raises(UploadError, match="the storage refuses the name"):
        cloud.open(mixin=Shouting).upload(source("../a.css"))


class Reversed:
    """A user's own way to make keys."""

    def _normalize_name(self, name: str) -> str:
        key: str = super()._normalize_name(name)  # type: ignore[misc]  # a mixin
        return key.replace(".css", ".min.css")


def test_a_users_own_keys_are_used(cloud: Cloud) -> None:
    """Names are looked up where the storage itself looks."""
    strategy = cloud.open("static", mixin=Reversed)
    strategy.upload(source("a.css"))
    assert cloud.place.keys() == ["static/a.min.css"]
    assert list(listing(strategy, "a.css")) == ["a.css"]
    assert list(strategy.list_all()) == ["a.css"]


def test_only_our_own_uploads_use_what_was_read_ahead(cloud: Cloud, tmp_path: Path) -> None:
    """The user's save reads the file by itself; nothing is held that nobody would send."""
    path = tmp_path / "a.css"
    path.write_bytes(b"one")
    file = SourceFile(str(path), "a.css", 3)
    ours, theirs = cloud.open("ours"), cloud.open("theirs", mixin=Shouting)
    for strategy in (ours, theirs):
        strategy.read_ahead(file)
    assert not theirs._ahead
    path.write_bytes(b"two")
    for strategy in (ours, theirs):
        strategy.upload(file)
    assert cloud.place.objects() == {"ours/a.css": b"one", "theirs/a.css": b"TWO"}
