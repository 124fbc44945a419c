"""One thread reads small new files for all: what is sent is what was read then."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
import xxhash

from collectfasta.exceptions import SourceError
from collectfasta.items import SourceFile
from collectfasta.strategies import objects
from collectfasta.strategies.objects import NEAR
from tests.strategies.s3.kit import Transport, opened, source

if TYPE_CHECKING:
    from pathlib import Path

    from collectfasta.strategies.objects import Headers
    from scripts.benchmarks.store import Store

BODY = b"body { color: red }"


@pytest.fixture
def file(tmp_path: Path) -> SourceFile:
    path = tmp_path / "a.css"
    path.write_bytes(BODY)
    return SourceFile(str(path), "css/a.css", len(BODY))


@pytest.fixture
def fast(store: Store) -> Transport:
    return Transport("obstore", store)


def test_what_was_read_ahead_is_sent_and_told_once(fast: Transport, file: SourceFile) -> None:
    """The digest is that of the bytes sent. A second upload reads anew."""
    strategy = fast.opened()
    strategy.read_ahead(file)
    edited = BODY.replace(b"red", b"tan")
    with open(file.path, "wb") as opened_file:
        opened_file.write(edited)
    sent = strategy.upload(file)
    assert fast.store.objects["css/a.css"].body == BODY
    assert (sent.xxh3, sent.wire) == (xxhash.xxh3_128_digest(BODY), len(BODY))
    assert sent.etag == hashlib.md5(BODY).hexdigest()
    strategy.upload(file)
    assert fast.store.objects["css/a.css"].body == edited


def test_the_storages_own_save_reads_by_itself(store: Store, file: SourceFile) -> None:
    """Nothing is held that nobody would send."""
    strategy = Transport("save", store).opened()
    strategy.read_ahead(file)
    assert not strategy._ahead
    strategy.upload(file)
    assert store.objects["css/a.css"].body == BODY


def test_only_small_plain_files_on_the_disk_are_read_ahead(store: Store, tmp_path: Path) -> None:
    """What is large, compressed, or in memory already is left to the upload."""
    strategy = opened(store, gzip=True)
    strategy.read_ahead(source("in-memory.txt"))
    for name, size in {"a.css": 10, "edge.png": NEAR, "small.png": NEAR - 1}.items():
        (tmp_path / name).write_bytes(bytes(size))
        strategy.read_ahead(SourceFile(str(tmp_path / name), name, size))
    assert list(strategy._ahead) == ["small.png"]


def test_on_a_slow_disk_each_upload_reads_for_itself(fast: Transport, file: SourceFile) -> None:
    """Side by side, that is; one thread alone would take as long as all of them together."""
    strategy = fast.opened()
    strategy._turns.over = True
    strategy.read_ahead(file)
    assert not strategy._ahead


def test_a_file_that_cannot_be_read_is_named_by_its_upload(fast: Transport, tmp_path: Path) -> None:
    """Not by whoever reads ahead, for the others must go on."""
    strategy = fast.opened()
    gone = SourceFile(str(tmp_path / "gone.css"), "gone.css", 7)
    strategy.read_ahead(gone)
    with pytest.raises(SourceError, match=r"^gone\.css: cannot read"):
        strategy.upload(gone)


def test_the_users_own_code_is_left_to_the_upload(store: Store, file: SourceFile) -> None:
    """It may be slow, and many uploads wait for it side by side."""

    class Slow:
        def get_object_parameters(self, name: str) -> dict[str, str]:
            return {"CacheControl": f"max-age={len(name)}"}

    strategy = opened(store, Slow)
    strategy.read_ahead(file)
    assert not strategy._ahead
    strategy.upload(file)
    assert store.objects["css/a.css"].headers["cache-control"] == "max-age=9"


def test_an_error_waits_for_the_upload_that_meets_it_again(
    fast: Transport, file: SourceFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There it is told which file it was about."""
    strategy = fast.opened()

    def broken(name: str) -> Headers:
        raise LookupError(name)

    monkeypatch.setattr(strategy, "headers", broken)
    strategy.read_ahead(file)
    with pytest.raises(LookupError):
        strategy.upload(file)


def test_what_nobody_sends_does_not_fill_the_memory(
    fast: Transport, file: SourceFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uploads may fail before they ask for what was read."""
    monkeypatch.setattr(objects, "MOST_AHEAD", 3)
    strategy = fast.opened()
    for number in range(5):
        strategy.read_ahead(file._replace(name=f"{number}.css"))
    assert len(strategy._ahead) == 3
