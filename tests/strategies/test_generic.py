"""A storage that nobody knows, through the methods that every storage has."""

from __future__ import annotations

import datetime as dt
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage, Storage
from django.test.utils import override_settings

from collectfasta.exceptions import (
    DestinationError,
    ListingForbidden,
    SourceError,
    UploadError,
)
from collectfasta.items import Digest, RemoteObject, SourceFile
from collectfasta.strategies.generic import GenericStrategy
from tests.strategies.kit import LARGE, PlainStorage, TimedStorage, digest, source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def head(strategy: GenericStrategy, name: str) -> RemoteObject:
    remote = strategy.head(name)
    assert remote is not None
    return remote


@pytest.mark.parametrize("storage", [PlainStorage, TimedStorage, InMemoryStorage])
@pytest.mark.parametrize("size", [0, 5, LARGE], ids=["empty", "small", "large"])
def test_a_file_is_saved_and_replaced(tmp_path: Path, storage: type[Storage], size: int) -> None:
    """Exactly under its name, by storages that would give a second file another one."""
    strategy = GenericStrategy(storage())
    for data in (b"longer than the second" + b"1" * size, b"2" * size):
        file = source(tmp_path, "css/a.css", data)
        sent = strategy.upload(file)
        assert sent.xxh3 == digest(file).xxh3
        assert sent.wire == len(data)
        remote = head(strategy, "css/a.css")
        assert sent.etag == ""  # the time may be that of another run's write
        assert strategy.same_bytes(file, digest(file), remote) is True
    folders, files = [], [""]
    if storage is not PlainStorage:
        folders, files = strategy.remote_storage.listdir("css")
        assert (folders, files) == ([], ["a.css"])


def test_bytes_from_memory_are_saved(tmp_path: Path) -> None:
    """What post-processing has made, small and large."""
    storage = PlainStorage()
    strategy = GenericStrategy(storage)
    for data in (b"made", b"m" * LARGE):
        strategy.upload(SourceFile("", "a.css", len(data), data))
        assert storage.files == {"a.css": data}


def test_a_storage_is_looked_up_name_by_name() -> None:
    """There is no listing to ask for."""
    strategy = GenericStrategy(PlainStorage())
    with pytest.raises(ListingForbidden, match=r"^$"):
        strategy.list(["a.css"])
    assert strategy.head("a.css") is None
    assert strategy.fingerprint("a.css") == ""
    assert strategy.beside("a.css") is None
    assert strategy.threads_for(10) == 16
    assert "own save" in strategy.transport()


def test_what_a_storage_does_not_tell(tmp_path: Path) -> None:
    """Without ``size`` and ``get_modified_time`` the bytes are read; without ``open`` not even that
    proves anything."""
    storage = PlainStorage()
    strategy = GenericStrategy(storage)
    file = source(tmp_path, "a.css", b"12345")
    assert strategy.upload(file).etag == ""
    remote = head(strategy, "a.css")
    assert (remote.size, remote.etag) == (-1, "")
    assert strategy.same_bytes(file, digest(file), remote) is True
    storage.files["a.css"] = b"12340"
    assert strategy.same_bytes(file, digest(file), remote) is False

    class Blind(PlainStorage):
        def open(self, name: str, mode: str = "rb") -> Any:
            raise NotImplementedError("write only")

    assert GenericStrategy(Blind()).same_bytes(file, digest(file), remote) is None


def test_another_size_needs_no_reading(tmp_path: Path) -> None:
    """A download is spared."""
    storage = TimedStorage()
    strategy = GenericStrategy(storage)
    file = source(tmp_path, "a.css", b"12345")
    strategy.upload(source(tmp_path, "a.css", b"123456"))
    remote = head(strategy, "a.css")
    assert strategy.same_bytes(file, Digest(b"", None, 5), remote) is False
    assert storage.calls("open") == []


def test_text_counts_as_its_bytes(tmp_path: Path) -> None:
    """Some storages in memory give text."""

    class Text(PlainStorage):
        def _open(self, name: str, mode: str = "rb") -> ContentFile:
            return ContentFile("täxt")

    file = source(tmp_path, "a.css", "täxt".encode())
    strategy = GenericStrategy(Text())
    assert strategy.same_bytes(file, digest(file), RemoteObject("a.css", -1, "")) is True


@pytest.mark.parametrize("zone", [dt.UTC, None])
def test_a_time_in_whole_seconds_must_have_settled(tmp_path: Path, zone: dt.tzinfo | None) -> None:
    """Two writes within one second would look the same."""
    storage = TimedStorage()
    strategy = GenericStrategy(storage)
    file = source(tmp_path, "a.css", b"a")
    strategy.upload(file)
    now = dt.datetime.now(zone).replace(microsecond=0)
    storage.times["a.css"] = now
    assert head(strategy, "a.css").etag == ""
    storage.times["a.css"] = now - dt.timedelta(minutes=1)
    assert head(strategy, "a.css").etag == (now - dt.timedelta(minutes=1)).isoformat()
    del storage.times["a.css"]
    assert head(strategy, "a.css").etag == ""


def test_a_storage_that_overwrites_is_left_to_do_so(tmp_path: Path) -> None:
    """Nothing is deleted before its replacement is written, wherever that can be."""

    class Overwriting(PlainStorage):
        def get_available_name(self, name: str, max_length: int | None = None) -> str:
            return name

    class Saving(PlainStorage):
        def save(self, name: str, content: Any, max_length: int | None = None) -> str:
            return self._save(name, content)

    for storage in (Overwriting(), Saving()):
        strategy = GenericStrategy(storage)
        for data in (b"1", b"2"):
            strategy.upload(source(tmp_path, "a.css", data))
        assert storage.files == {"a.css": b"2"}
        assert storage.calls("delete") == []


def test_a_source_that_cannot_be_read_deletes_nothing(tmp_path: Path) -> None:
    """The old file stays until the new bytes are at hand."""
    storage = PlainStorage()
    strategy = GenericStrategy(storage)
    file = source(tmp_path, "a.css", b"a")
    strategy.upload(file)
    os.unlink(file.path)
    with pytest.raises(SourceError):
        strategy.upload(file)
    assert storage.files == {"a.css": b"a"}


def test_a_name_of_its_own_making_is_deleted_again(tmp_path: Path) -> None:
    """One line names both names; a run never reports such a file as published."""

    class Renaming(PlainStorage):
        def save(self, name: str, content: Any, max_length: int | None = None) -> str:
            return self._save(f"{name}.v2", content)

    storage = Renaming()
    with pytest.raises(UploadError, match=r"^a\.css: the storage saved it as 'a\.css\.v2' instead"):
        GenericStrategy(storage).upload(source(tmp_path, "a.css", b"a"))
    assert storage.files == {}


def test_whatever_a_storage_raises_is_one_line(tmp_path: Path) -> None:
    """It names the file, keeps the cause for a traceback, and gives no secret away."""

    class Failing(TimedStorage):
        failing = ""

        def exists(self, name: str) -> bool:
            return self._fail("exists") or super().exists(name)

        def size(self, name: str) -> int:
            return self._fail("size") or super().size(name)

        def _save(self, name: str, content: Any) -> str:
            return self._fail("save") or super()._save(name, content)

        def _open(self, name: str, mode: str = "rb") -> ContentFile:
            return self._fail("open") or super()._open(name, mode)

        def _fail(self, what: str) -> Any:
            if what == self.failing:
                raise LookupError("GET https://example.org/a?Signature=secret#x failed\n" * 20)

    storage = Failing()
    strategy = GenericStrategy(storage)
    file = source(tmp_path, "a.css", b"a")
    strategy.upload(file)
    remote = head(strategy, "a.css")
    questions: dict[str, tuple[str, Callable[[], object]]] = {
        "exists": ("cannot look it up", lambda: strategy.head("a.css")),
        "size": ("cannot look up its size", lambda: strategy.head("a.css")),
        "save": ("cannot be saved", lambda: strategy.upload(file)),
        "open": (
            "cannot read what is there",
            lambda: strategy.same_bytes(file, digest(file), remote),
        ),
    }
    for what, (says, question) in questions.items():
        storage.failing = what
        with pytest.raises(UploadError) as caught:
            question()
        text = str(caught.value)
        assert text.startswith(f"a.css: {says}: LookupError: GET https://example.org/a failed")
        assert "secret" not in text
        assert "\n" not in text
        assert len(text) < 300
        assert isinstance(caught.value.__cause__, LookupError)


def test_clearing_lists_folder_by_folder() -> None:
    """All names, wherever they are; nothing where there is nothing yet."""
    storage = TimedStorage()
    strategy = GenericStrategy(storage)
    assert list(strategy.list_all()) == []
    for name in ("a.css", "b/c.css", "b/d/e.css"):
        storage.save(name, ContentFile(b"x"))
    names = list(strategy.list_all())
    assert sorted(names) == ["a.css", "b/c.css", "b/d/e.css"]
    strategy.delete(names)
    assert storage.files == {}


def test_clearing_that_cannot_be_done_is_said() -> None:
    """No listing, a listing that fails, files that stay."""

    class Listing(TimedStorage):
        error: Exception = FileNotFoundError()

        def listdir(self, path: str) -> tuple[list[str], list[str]]:
            raise self.error

    with pytest.raises(DestinationError, match=r"PlainStorage cannot list its files, so --clear"):
        list(GenericStrategy(PlainStorage()).list_all())
    strategy = GenericStrategy(Listing())
    assert list(strategy.list_all()) == []
    Listing.error = PermissionError(13, "Permission denied")
    with pytest.raises(DestinationError, match=r"Listing cannot be listed: Permission denied\.$"):
        list(strategy.list_all())
    with pytest.raises(
        DestinationError, match=r"^Could not delete x\.css \(KeyError: 'x\.css'\)\.$"
    ):
        strategy.delete(["x.css"])


def test_two_places_of_one_class_are_told_apart() -> None:
    """And one place is the same in every process: no address, no order of attributes is in it."""

    class Bucket(PlainStorage):
        def __init__(self, bucket: str, **extra: Any) -> None:
            super().__init__()
            self.bucket = bucket
            self.lock = threading.Lock()
            self.__dict__.update(extra)

        @property
        def explodes(self) -> str:
            raise OSError("no property is read")

    one = GenericStrategy(Bucket("one", a=1, b=2)).identity()
    assert one == GenericStrategy(Bucket("one", b=2, a=1)).identity()
    assert one != GenericStrategy(Bucket("two", a=1, b=2)).identity()
    assert "Bucket" in one
    with override_settings(MEDIA_ROOT="/somewhere"):
        storage = InMemoryStorage()
        first = GenericStrategy(storage).identity()
        assert storage.location
        assert GenericStrategy(storage).identity() == first
