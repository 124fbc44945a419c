"""Custom strategies of the original package that compare hashes, and remember them."""

from __future__ import annotations

import gc
import gzip
import hashlib
import io
import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import caches
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage
from django.test.utils import override_settings

from collectfasta.items import RemoteObject, SourceFile
from collectfasta.strategies import hashes, legacy
from collectfasta.strategies.base import CachingHashStrategy, HashStrategy
from collectfasta.strategies.choice import load_strategy
from collectfasta.strategies.disk import paths
from collectfasta.strategies.filesystem import FileSystemStrategy
from tests.strategies.kit import PlainStorage, TimedStorage, source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from collectfasta.strategies.native import NativeStrategy

TEXT = b"body{color:red}\n" * 50


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


class Asks:
    """What the two below share: the remote hash is that of the bytes in a ``PlainStorage``."""

    remote_storage: Any

    def get_remote_file_hash(self, prefixed_path: str) -> str | None:
        self.remote_storage.log.append(("hash", prefixed_path))
        data = self.remote_storage.files.get(prefixed_path)
        return None if data is None else md5(data)


class Hashing(Asks, HashStrategy[Any]):
    pass


class Caching(Asks, CachingHashStrategy[Any]):
    pass


@pytest.fixture(autouse=True)
def cache(tmp_path: Path) -> Iterator[Any]:
    """A cache that outlives a process."""
    backend = "django.core.cache.backends.filebased.FileBasedCache"
    setting = {"BACKEND": backend, "LOCATION": str(tmp_path / "cache"), "TIMEOUT": 0}
    with override_settings(CACHES={"default": setting}):
        yield caches["default"]


@pytest.fixture
def local(tmp_path: Path) -> FileSystemStorage:
    """A finder's storage; it holds what ``source(tmp_path, …)`` writes."""
    return FileSystemStorage(location=tmp_path / "source")


def adapted(
    strategy: type, storage: Storage, local: Storage
) -> Callable[..., tuple[NativeStrategy[Any], bool]]:
    """A run over one file with a new instance of ``strategy``; tells whether it was written."""

    def run(file: SourceFile, path: str = "", *, fails: bool = False) -> Any:
        native = load_strategy(strategy, storage)
        hooks = native.custom
        assert hooks is not None
        hooks.bind({file.name: (local, path or file.name)})
        hooks.before()
        copies = hooks.should_copy(file)
        if copies and not fails:
            native.upload(file)
            hooks.copied(file)
        elif not copies:
            hooks.skipped(file)
        return native, copies

    return run


@pytest.mark.parametrize("strategy", [Hashing, Caching])
@pytest.mark.parametrize("storage", [PlainStorage, TimedStorage])
def test_hashes_decide(
    tmp_path: Path, local: Storage, strategy: type, storage: Callable[[], Any]
) -> None:
    """New and edited files are written, others are left alone."""
    remote = storage()
    run = adapted(strategy, remote, local)
    file = source(tmp_path, "a.css", b"one")
    assert [run(file)[1] for _ in range(3)] == [True, False, False]
    file = source(tmp_path, "a.css", b"two")
    assert [run(file)[1] for _ in range(3)] == [True, False, False]
    assert remote.files == {"a.css": b"two"}


def test_a_remembered_hash_spares_the_question(tmp_path: Path, local: Storage) -> None:
    """After a look; for good, whatever the cache's own timeout."""
    remote = TimedStorage()
    run = adapted(Caching, remote, local)
    file = source(tmp_path, "a.css", b"one")
    run(file)
    assert run(file)[1] is False
    remote.log.clear()
    assert run(file)[1] is False
    assert remote.calls("hash") == []
    caches["default"].clear()
    assert run(file)[1] is False
    assert run(file)[1] is False
    assert remote.calls("hash") == ["a.css"]


@pytest.mark.parametrize("change", ["emptied", "overwritten", "another place", "another name"])
def test_a_remembered_hash_never_hides_a_change(
    tmp_path: Path, local: Storage, change: str
) -> None:
    """The destination is asked what it shows; its answer must be the one that was remembered."""
    remote = TimedStorage()
    file = source(tmp_path, "a.css", b"one")
    adapted(Caching, remote, local)(file)
    if change == "emptied":
        remote.delete("a.css")
    elif change == "overwritten":
        remote.delete("a.css")
        remote.save("a.css", ContentFile(b"two"))
    elif change == "another place":
        remote = TimedStorage()
        remote.place = 2  # its identity shows that
        remote.save("a.css", ContentFile(b"two"))  # at the same time as in the other place
    else:
        file = SourceFile(file.path, "prefix/a.css", file.size)
    native, copied = adapted(Caching, remote, local)(file, "a.css")
    assert copied is True
    assert remote.files[file.name] == b"one"
    assert type(native).__name__ == "LegacyStrategy"


def test_a_destination_that_shows_nothing_is_asked_each_time(
    tmp_path: Path, local: Storage
) -> None:
    """There is nothing that a remembered hash could be checked against."""
    remote = PlainStorage()
    run = adapted(Caching, remote, local)
    file = source(tmp_path, "a.css", b"one")
    for _ in range(3):
        run(file)
    assert remote.calls("hash") == ["a.css"] * 3
    assert not list((tmp_path / "cache").glob("*"))


def test_a_failed_upload_is_not_remembered(tmp_path: Path, local: Storage) -> None:
    """The next run tries again."""
    run = adapted(Caching, TimedStorage(), local)
    file = source(tmp_path, "a.css", b"one")
    assert run(file, fails=True)[1] is True
    assert run(file)[1] is True
    assert run(file)[1] is False


def test_a_file_edited_meanwhile_is_not_remembered(tmp_path: Path, local: Storage) -> None:
    """Nobody knows which of its two states was sent."""
    remote = TimedStorage()
    file = source(tmp_path, "a.css", b"one")
    native = load_strategy(Caching, remote)
    hooks = native.custom
    assert hooks is not None
    hooks.bind({"a.css": (local, "a.css")})
    assert hooks.should_copy(file) is True
    file = source(tmp_path, "a.css", b"two")
    native.upload(file)
    file = source(tmp_path, "a.css", b"one")
    os.utime(file.path, (1, 1))
    hooks.copied(file)
    assert adapted(Caching, remote, local)(file)[1] is True
    assert remote.files == {"a.css": b"one"}


def test_the_listing_is_what_a_hash_is_checked_against(tmp_path: Path) -> None:
    """Where there is one: no look-up is made for a name that it shows, or lacks."""

    class Listing(FileSystemStrategy):
        """Its listing does not look name by name, as those of the clouds."""

        def list(self, names: Sequence[str]) -> Iterator[list[RemoteObject]]:
            looks = [paths.look(name, f"{self._root}/{name}") for name in names]
            yield [seen for seen in looks if seen is not None]

    root = tmp_path / "root"
    storage = FileSystemStorage(location=root)
    native: Any = legacy.adapt(Caching(storage), Listing, storage)
    file = source(tmp_path, "a.css", b"one")
    sent = native.upload(file)
    assert native.etag("a.css") == sent.etag
    native = legacy.adapt(Caching(storage), Listing, storage)
    assert [len(page) for page in native.list(["a.css", "b.css"])] == [1]
    os.unlink(root / "a.css")
    (root / "b.css").write_bytes(b"written after the listing")
    assert native.etag("a.css") == sent.etag
    assert native.etag("b.css") == ""
    assert native.head("a.css") is None
    assert native.etag("a.css") == ""
    plain: Any = load_strategy(Hashing, FileSystemStorage(location=root))
    assert list(plain.list(["a.css"])) == [[]]


def test_used_by_itself_it_trusts_its_cache() -> None:
    """As in the original: it is how people test their strategies."""
    remote = PlainStorage()
    strategy = Caching(remote)
    remote.files["a.css"] = b"one"
    for _ in range(2):
        assert strategy.get_cached_remote_file_hash("path", "a.css") == md5(b"one")
    assert remote.calls("hash") == ["a.css"]
    assert strategy.get_cached_remote_file_hash("path", "b.css") == "None"
    strategy.invalidate_cached_hash("path")
    assert strategy.get_cached_remote_file_hash("path", "a.css") == md5(b"one")
    key = strategy.get_cache_key("path")
    assert key == f"collectfasta{md5(b'path')}"
    with override_settings(COLLECTFASTA_CACHE_KEY_PREFIX="my shop/" + "x" * 300):
        key = Caching(remote).get_cache_key("path \n" * 100)
        assert key.startswith("my_shop_x")
        assert len(key) < 230


def test_used_by_itself_it_remembers_what_it_copied(tmp_path: Path, local: Storage) -> None:
    """If it was asked first; a constructor that does not call ours changes nothing."""

    class Own(Caching):
        def __init__(self) -> None:
            self.remote_storage = PlainStorage()

    source(tmp_path, "a.css", b"one")
    strategy = Own()
    assert strategy.should_copy_file("a.css", "a.css", local)
    strategy.post_copy_hook("a.css", "a.css", local)
    assert not strategy.should_copy_file("a.css", "a.css", local)
    strategy.on_skip_hook("a.css", "a.css", local)
    strategy.post_copy_hook("a.css", "a.css", local)
    assert strategy.get_cached_remote_file_hash("a.css", "a.css") == "None"


def test_a_finder_without_local_files(local: Storage) -> None:
    """Its files can be hashed, but nobody can tell whether they change."""
    finder = PlainStorage()
    finder.save("a.css", ContentFile(b"one"))
    assert hashes.signature(finder, "a.css") is None
    assert hashes.signature(local, "absent.css") is None
    strategy = Caching(PlainStorage())
    assert strategy.should_copy_file("a.css", "a.css", finder)
    strategy.post_copy_hook("a.css", "a.css", finder)
    assert strategy.get_cached_remote_file_hash("a.css", "a.css") == "None"


def test_a_cache_that_hangs(
    tmp_path: Path, local: Storage, caplog: pytest.LogCaptureFixture, monkeypatch: Any
) -> None:
    """It is waited for once, and not for long."""
    monkeypatch.setattr(hashes, "PATIENCE", 0.05)
    setting = {"default": {"BACKEND": "tests.strategies.test_legacy_hashes.Hung"}}
    remote = TimedStorage()
    with override_settings(CACHES=setting), caplog.at_level(logging.WARNING):
        _, copied = adapted(Caching, remote, local)(source(tmp_path, "a.css", b"one"))
        assert copied is True
        assert "(TimeoutError)" in caplog.text
        assert len(caplog.records) == 1
        Hung.goes_on.set()


def test_many_threads_give_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    """All of them may be waiting when the cache fails."""
    setting = {"default": {"BACKEND": "tests.strategies.test_legacy_hashes.Down"}}
    with override_settings(CACHES=setting), caplog.at_level(logging.WARNING):
        cache = hashes.HashCache()
        for _ in range(3):
            cache._give_up(ConnectionError())
        assert cache.get("key") is None
    assert len(caplog.records) == 1


def test_the_threads_end_with_the_cache() -> None:
    """For a program may run the command many times."""
    before = set(threading.enumerate())
    cache = hashes.HashCache()
    cache.set("key", ["a"])
    assert cache.get("key") == ["a"]
    mine = set(threading.enumerate()) - before
    assert mine
    del cache
    gc.collect()
    for thread in mine:
        thread.join(30)
    assert not any(thread.is_alive() for thread in mine)


@pytest.mark.parametrize("debug", [False, True])
def test_a_cache_that_is_down(
    tmp_path: Path, local: Storage, caplog: pytest.LogCaptureFixture, debug: bool
) -> None:
    """One warning, and a right run; with ``COLLECTFASTA_DEBUG`` its error."""
    backend = "tests.strategies.test_legacy_hashes.Down"
    file = source(tmp_path, "a.css", b"one")
    remote = TimedStorage()
    run = adapted(Caching, remote, local)
    with override_settings(CACHES={"default": {"BACKEND": backend}}, COLLECTFASTA_DEBUG=debug):
        if debug:
            with pytest.raises(ConnectionError):
                run(file)
            return
        with caplog.at_level(logging.WARNING):
            Down.asked.clear()
            assert run(file)[1] is True
            assert len(caplog.records) == 1
            assert len(Down.asked) == 1
            assert run(file)[1] is False
    assert "secret" not in caplog.text
    assert remote.files == {"a.css": b"one"}


class Down:
    """A cache backend that does not answer."""

    asked: list[str] = []

    def __init__(self, *_: object) -> None:
        pass

    def get(self, key: str) -> None:
        self.asked.append(key)
        raise ConnectionError("memcached://user:secret@host")

    set = delete = get

    def close(self) -> None:
        """Django calls it when the settings change."""


class Hung(Down):
    """A cache backend that never answers."""

    goes_on = threading.Event()

    def get(self, key: str) -> None:
        self.goes_on.wait(60)


class TestGzip:
    """Where the destination holds text gzipped, its hash is that of the gzip."""

    @pytest.fixture
    def strategy(self) -> Hashing:
        strategy = Hashing(PlainStorage())
        strategy.use_gzip = True
        return strategy

    def test_as_the_s3_storage_writes_it(
        self, tmp_path: Path, local: Storage, strategy: Hashing
    ) -> None:
        """Byte by byte what django-storages sends."""
        from storages.compress import GzipCompressionWrapper

        source(tmp_path, "a.css", TEXT)
        stored = GzipCompressionWrapper(io.BytesIO(TEXT)).read()
        assert hashes.gzipped(TEXT, hashes.UNIX) == stored
        assert strategy.get_local_file_hash("a.css", local) == md5(stored)
        strategy.remote_storage.files["a.css"] = stored
        assert not strategy.should_copy_file("a.css", "a.css", local)

    @pytest.mark.parametrize("data", [TEXT, TEXT.decode()])
    def test_as_other_versions_write_it(
        self, tmp_path: Path, local: Storage, strategy: Hashing, data: bytes | str
    ) -> None:
        """Python's gzip and Google's storage differ in a byte of the header that says nothing."""
        source(tmp_path, "a.css", TEXT)
        buffer = io.BytesIO()
        with gzip.GzipFile(mode="wb", fileobj=buffer, mtime=0.0) as file:
            file.write(TEXT)
        assert hashes.gzipped(data, hashes.UNKNOWN) == buffer.getvalue()
        for stored in (buffer.getvalue(), gzip.compress(TEXT, mtime=0)):
            strategy.remote_storage.files["a.css"] = stored
            assert not strategy.should_copy_file("a.css", "a.css", local)
        strategy.remote_storage.files["a.css"] = gzip.compress(TEXT + b"!", mtime=0)
        assert strategy.should_copy_file("a.css", "a.css", local)
        del strategy.remote_storage.files["a.css"]
        assert strategy.should_copy_file("a.css", "a.css", local)

    def test_only_text_is_gzipped(self, tmp_path: Path, local: Storage, strategy: Hashing) -> None:
        """What the storage, or a setting, says; nothing that is compressed already."""
        for name in ("a.png", "a.css.gz", "a.svg", "a"):
            source(tmp_path, name, TEXT)
        assert strategy.get_local_file_hash("a.png", local) == md5(TEXT)
        assert strategy.get_local_file_hash("a.css.gz", local) == md5(TEXT)
        assert strategy.get_local_file_hash("a", local) == md5(TEXT)
        strategy.remote_storage.files["a.png"] = hashes.gzipped(TEXT, hashes.UNKNOWN)
        assert strategy.should_copy_file("a.png", "a.png", local)
        svg = md5(hashes.gzipped(TEXT, hashes.UNIX))
        assert strategy.get_local_file_hash("a.svg", local) == svg
        with override_settings(GZIP_CONTENT_TYPES=("image/png",)):
            assert strategy.get_local_file_hash("a.svg", local) == md5(TEXT)
            assert strategy.get_local_file_hash("a.png", local) == svg
            strategy.remote_storage.gzip_content_types = ["image/svg+xml"]
            assert strategy.get_local_file_hash("a.svg", local) == svg

    def test_a_subclass_may_hash_otherwise(
        self, tmp_path: Path, local: Storage, strategy: Hashing
    ) -> None:
        """Its own method is asked, with the arguments of the original."""
        seen = []

        class Own(Hashing):
            use_gzip = True

            def get_gzipped_local_file_hash(
                self, uncompressed_file_hash: str, path: str, contents: bytes | str
            ) -> str:
                seen.append((uncompressed_file_hash, path, contents))
                return "own"

        source(tmp_path, "a.css", TEXT)
        assert Own(PlainStorage()).get_local_file_hash("a.css", local) == "own"
        assert seen == [(md5(TEXT), "a.css", TEXT)]


class Renamed(FileSystemStrategy):
    """One of ours whose user looks the remote hash up under another name."""

    def get_remote_file_hash(self, prefixed_path: str) -> str | None:
        return super().get_remote_file_hash(f"copies/{prefixed_path}")


def test_a_subclass_of_ours_may_look_elsewhere(tmp_path: Path, local: Storage) -> None:
    """Its ``get_remote_file_hash`` then decides; gzip is taken from the storage."""
    root = tmp_path / "root"
    file = source(tmp_path, "a.css", b"one")
    storage = FileSystemStorage(location=root)
    strategy = load_strategy(Renamed, storage)
    hooks = strategy.custom
    assert hooks is not None
    hooks.bind({"a.css": (local, "a.css")})
    assert hooks.should_copy(file) is True
    strategy.upload(SourceFile(file.path, "copies/a.css", 3))
    assert hooks.should_copy(file) is False
    assert not strategy.use_gzip
    storage.gzip = True
    assert load_strategy(Renamed, storage).use_gzip


def test_ours_tell_what_the_storage_shows(tmp_path: Path) -> None:
    """A checksum, or else an etag; on a disk the hash of the copy."""
    file = source(tmp_path, "a.css", b"one")
    remote = TimedStorage()
    strategy = load_strategy(None, remote)
    assert strategy.get_remote_file_hash("a.css") is None
    strategy.upload(file)
    there = strategy.head("a.css")
    assert there is not None
    assert strategy.get_remote_file_hash("a.css") == there.etag
    disk = load_strategy(None, FileSystemStorage(location=tmp_path / "root"))
    assert disk.get_remote_file_hash("a.css") is None
    disk.upload(file)
    assert disk.get_remote_file_hash("a.css") == md5(b"one")


def test_asking_ours_about_a_file_that_is_gone(tmp_path: Path, local: Storage) -> None:
    """It is named, as everywhere."""
    from collectfasta.exceptions import SourceError

    file = source(tmp_path, "a.css", b"one")
    disk = load_strategy(None, FileSystemStorage(location=tmp_path / "root"))
    disk.upload(file)
    answer = disk.should_copy_file("a.css", "a.css", local)
    os.unlink(file.path)
    with pytest.raises(SourceError, match=r"^a\.css: cannot read \S+a\.css: No such file"):
        bool(answer)


def test_importing_the_base_costs_nothing() -> None:
    """Neither Django nor a hash function is imported with it."""
    import subprocess

    code = "import sys, collectfasta.strategies; print('django' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
