"""Files that change while a run is reading them: what is recorded is what was sent.

Each change is made at one moment of the run. Afterwards no record may vouch for bytes that the
object does not hold, whatever the source holds by then, and one more run puts everything right.

Tried by hand, and caught here: recording the hash of the hash stage instead of that of the bytes
sent; comparing a file that was read again without asking whether it is still what was hashed;
sending a file whose size changed while it was read.
"""

from __future__ import annotations

import gzip
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from django.test.utils import override_settings
from xxhash import xxh3_128_digest

from collectfasta.checksums import ChecksumCache
from collectfasta.pipeline import run
from collectfasta.pipeline.hashing import Hasher
from collectfasta.pipeline.lookups import Lookups
from collectfasta.pipeline.upload import Publisher
from collectfasta.strategies import bodies, filesystem
from collectfasta.strategies.disk import paths
from collectfasta.strategies.objects import ObjectStrategy
from tests import support
from tests.faults.conftest import DISK, Site, tree_at
from tests.places import S3Bucket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scripts.benchmarks.store import Store

NAME = "d/a.css"
OLD, NEW = b"old " * 600, b"new " * 600
CACHES = {
    "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
    "OPTIONS": {"MAX_ENTRIES": 10_000},
}


def edit(path: Path) -> None:
    path.write_bytes(NEW)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def truncate(path: Path) -> None:
    os.truncate(path, 5)


def replace(path: Path) -> None:
    other = path.with_name("other.tmp")
    other.write_bytes(NEW)
    other.replace(path)


def delete(path: Path) -> None:
    path.unlink()


CHANGES = [edit, truncate, replace, delete]


@dataclass
class Place:
    """A site whose destination can be looked at together with its records."""

    settings: dict[str, Any]
    path: Path
    objects: Callable[[], dict[str, bytes]]
    etag: Callable[[], str]
    strategy: Callable[[], Any]

    def collect(self) -> support.Result:
        return support.collect(settings=self.settings)

    def put(self, body: bytes) -> None:
        self.path.write_bytes(body)

    def record_is_true(self) -> bool:
        """Whether the record of ``NAME``, if it counts, tells what is there."""
        with override_settings(**self.settings):
            identity = self.strategy().identity()
            cache = ChecksumCache("default", "collectfasta", identity, print, debug=True)
            record = cache.get([NAME]).get(NAME)
        if record is None or record.etag != self.etag():
            return True
        return record.xxh3 == xxh3_128_digest(self.objects()[NAME])


def loaded() -> Any:
    from django.contrib.staticfiles.storage import staticfiles_storage
    from django.core.files.storage import storages

    from collectfasta.settings import Settings
    from collectfasta.strategies.choice import load_strategy

    del staticfiles_storage
    return load_strategy(Settings.load().strategy, storages["staticfiles"])


@pytest.fixture(params=["s3", "s3 gzip", "disk"])
def place(
    request: pytest.FixtureRequest, tree: Callable[..., Path], store: Store, tmp_path: Path
) -> Place:
    source = tree({NAME: OLD, "b.js": b"b"})
    settings: dict[str, Any] = {
        "STATICFILES_DIRS": [str(source)],
        "CACHES": {"default": {**CACHES, "LOCATION": str(tmp_path / "cache")}},
    }
    if request.param == "disk":
        root = tmp_path / "root"
        settings |= {
            "STORAGES": support.static_storages(DISK),
            "STATIC_ROOT": str(root),
            "COLLECTFASTA_STRATEGY": filesystem.CachingFileSystemStrategy,
        }
        return Place(
            settings,
            source / NAME,
            lambda: tree_at(root),
            lambda: paths.etag_of(os.lstat(root / NAME)),
            loaded,
        )
    zipped = request.param == "s3 gzip"
    settings["STORAGES"] = S3Bucket(store.url, store.name).storages(gzip=zipped)

    def objects() -> dict[str, bytes]:
        found = {key: stored.body for key, stored in store.objects.items()}
        return {k: gzip.decompress(v) if zipped else v for k, v in found.items()}

    return Place(settings, source / NAME, objects, lambda: str(store.objects[NAME].etag), loaded)


@pytest.fixture
def once(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """``once(owner, method, change, after=False)``: make the change before (or after) the first
    call, and not again."""
    awaited: set[str] = set()

    def arrange(owner: Any, method: str, change: Callable[[Path], None], *, after: bool) -> None:
        original = getattr(owner, method)
        awaited.add(method)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if not after and _is_it(args) and method in awaited:
                awaited.discard(method)
                change(place.path)
            result = original(*args, **kwargs)
            if after and _is_it(args) and method in awaited:
                awaited.discard(method)
                change(place.path)
            return result

        monkeypatch.setattr(owner, method, wrapped)

    yield arrange
    assert not awaited, "the moment has never come"


def _is_it(arguments: tuple[Any, ...]) -> bool:
    """Whether a call is about our file, as far as its arguments tell."""
    for argument in arguments:
        file = getattr(argument, "file", argument)
        name = getattr(file, "name", None)
        if isinstance(name, str) and name != NAME:
            return False
    return True


def all_is_well_in_the_end(place: Place) -> bool:
    """Whatever the source holds: each content is published by the next run, and stays."""
    assert place.record_is_true()
    if place.path.exists():
        assert place.collect().status == 0
        assert place.objects()[NAME] == place.path.read_bytes()
        assert place.record_is_true()
    for body in (OLD, NEW):
        place.put(body)
        assert place.collect().status == 0
        assert place.objects()[NAME] == body
        assert place.record_is_true()
    return True


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("published", [False, True])
def test_between_hashing_and_uploading(
    place: Place,
    once: Callable[..., None],
    change: Callable[[Path], None],
    published: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The upload reads the file again: those bytes are sent, and those are recorded."""
    monkeypatch.setattr(ObjectStrategy, "read_ahead", lambda *_: None)
    if published:
        assert place.collect().status == 0
        place.put(b"edited" * 400)
    once(Publisher, "_upload", change, after=False)
    result = place.collect()
    if change is delete:
        assert result.status == 1
        assert NAME in result.stderr
    else:
        assert result.status == 0, result.output
        assert place.objects()[NAME] == place.path.read_bytes()
    assert all_is_well_in_the_end(place)


@pytest.mark.parametrize("change", CHANGES)
def test_right_after_it_was_read_ahead(
    place: Place,
    once: Callable[..., None],
    change: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """What was read is sent, and recorded; the next run finds the change."""
    listed = Lookups.remote
    monkeypatch.setattr(Lookups, "listed", property(lambda self: listed(self) is not None))
    monkeypatch.setattr(run, "READING", 30.0)  # a busy machine is no slow disk
    ahead = request.node.callspec.params["place"] == "s3"
    if ahead:  # others read when they upload
        once(ObjectStrategy, "read_ahead", change, after=True)
    result = place.collect()
    assert result.status == 0, result.output
    assert place.objects()[NAME] == OLD
    if not ahead:
        change(place.path)
    assert all_is_well_in_the_end(place)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("remembered", [False, True])
def test_right_after_hashing(
    place: Place,
    once: Callable[..., None],
    change: Callable[[Path], None],
    remembered: bool,
    tmp_path: Path,
) -> None:
    """What was hashed is what was compared, even where the comparison reads the file again."""
    place.put(NEW)
    assert place.collect().status == 0
    place.put(OLD)
    if not remembered:
        place.settings["CACHES"]["default"]["LOCATION"] = str(tmp_path / "another cache")
    once(Hasher, "_finished", change, after=True)
    result = place.collect()
    assert result.status == 0 or NAME in result.stderr
    assert all_is_well_in_the_end(place)


@pytest.mark.parametrize("change", [grow, truncate, edit])
def test_while_it_is_read_for_the_upload(
    place: Place,
    once: Callable[..., None],
    change: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A file of another size than it was collected with is looked at again. If it changes once
    more just then, it is not sent, or is recorded as it was read."""
    monkeypatch.setattr(ObjectStrategy, "read_ahead", lambda *_: None)
    once(Publisher, "_upload", grow, after=False)
    (place.path.parent.parent / "b.js").unlink()  # so that the first call is about our file
    once(bodies, "_read_all", change, after=False)
    result = place.collect()
    if change is not edit:
        assert result.status == 1
        assert f"{NAME}: {place.path} changed while it was read." in result.stderr
        assert NAME not in place.objects()
    assert all_is_well_in_the_end(place)


@pytest.mark.parametrize("change", [grow, truncate, edit])
def test_while_a_large_file_is_sent_in_parts(
    store: Store,
    tree: Callable[..., Path],
    caches: dict[str, Any],
    change: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The upload is given up, and nothing of it stays behind."""
    source = tree({"big.bin": os.urandom(9 << 20)})
    settings = {
        "STATICFILES_DIRS": [str(source)],
        "CACHES": caches,
        "STORAGES": S3Bucket(store.url, store.name).storages(),
    }
    parts = bodies.Stream.parts
    changed: list[bool] = []

    def changing(self: bodies.Stream, size: int) -> Iterator[bytes]:
        for number, part in enumerate(parts(self, size)):
            if number == 0 and not changed:
                os.utime(source / "big.bin", (1, 1))  # so that no clock is too coarse to tell
                changed.append(True)
                change(source / "big.bin")
            yield part

    monkeypatch.setattr(bodies.Stream, "parts", changing)
    result = support.collect(settings=settings)
    assert changed
    assert result.status == 1
    assert "big.bin changed while it was read" in result.stderr
    assert not store.objects
    assert not store.buckets[store.name].uploads
    assert support.collect(settings=settings).status == 0
    assert store.objects["big.bin"].body == (source / "big.bin").read_bytes()


def test_an_editor_that_never_rests(site: Site, caches: dict[str, Any]) -> None:
    """Files are edited all the while, in several runs; when it stops, one run makes it right."""
    import threading

    site.caches = caches
    stop = threading.Event()
    files = {f"n/{number}.txt": b"%06d" % number for number in range(200)}
    support.write_tree(site.source, files)

    def edit_on() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            for number in range(turn % 7, 200, 7):
                target = site.source / f"n/{number}.txt"
                target.write_bytes(b"%06d" % (number * turn % 1_000_000))

    editor = threading.Thread(target=edit_on, daemon=True)
    editor.start()
    try:
        for _ in range(5):
            result = site.collect()
            assert result.status == 0 or "changed while it was read" in result.stderr
    finally:
        stop.set()
        editor.join(30)
    assert site.collect().status == 0
    assert site.published() == tree_at(site.source)
