"""What all cloud strategies share: bodies, bytes in flight, judging ETags, replaced methods."""

from __future__ import annotations

import gzip
import hashlib
import io
import mimetypes
import os
import posixpath
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from collectfasta.exceptions import SourceError, UploadError
from collectfasta.items import SourceFile
from collectfasta.strategies import bodies
from collectfasta.strategies.bodies import Hashing, Stream, make_body, other_gzip, read_source
from collectfasta.strategies.flight import SMALL, Flight
from collectfasta.strategies.judge import Judge
from collectfasta.strategies.objects import Headers, type_suffix
from collectfasta.strategies.overrides import overridden

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

MIB = 1024 * 1024


def on_disk(folder: Path, data: bytes, *, size: int | None = None) -> SourceFile:
    path = folder / "a.css"
    path.write_bytes(data)
    return SourceFile(str(path), "css/a.css", len(data) if size is None else size)


def squeeze(source: BinaryIO) -> BinaryIO:
    return io.BytesIO(gzip.compress(source.read(), 9, mtime=0))


# -- reading ------------------------------------------------------------------------------------


def test_a_file_is_read_once_below_the_limit(tmp_path: Path) -> None:
    """At the limit it is left to be streamed."""
    file = on_disk(tmp_path, b"12345")
    assert read_source(file, 6) == b"12345"
    assert read_source(file, 5) is None
    held = SourceFile("", "a", 5, b"12345")
    assert read_source(held, 6) == b"12345"
    assert read_source(held, 5) is None


@pytest.mark.parametrize("change", [b"123", b"1234567", b""])
def test_a_file_that_shrinks_or_grows_while_it_is_read_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: bytes
) -> None:
    """It is wholly old or wholly new, or it is not sent."""
    file = on_disk(tmp_path, b"12345", size=4)
    look = bodies._regular

    def race(file: SourceFile, descriptor: int) -> os.stat_result:
        status = look(file, descriptor)
        (tmp_path / "a.css").write_bytes(change)
        return status

    monkeypatch.setattr(bodies, "_regular", race)
    with pytest.raises(UploadError, match=r"^css/a\.css: .*a\.css changed while it was read\.$"):
        read_source(file, 100)


@pytest.mark.parametrize("now", [b"", b"123", b"1234567", bytes(99), bytes(100)])
def test_a_file_of_another_size_than_collected_is_read_as_it_is_now(
    tmp_path: Path, now: bytes
) -> None:
    """Also where it has grown to the limit."""
    file = on_disk(tmp_path, now, size=5)
    assert read_source(file, 100) == (now if len(now) < 100 else None)


def test_a_read_that_comes_in_pieces_is_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from a network file system."""
    file = on_disk(tmp_path, b"12345")
    read = os.read
    monkeypatch.setattr(os, "read", lambda descriptor, size: read(descriptor, 2))
    assert read_source(file, 100) == b"12345"


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
def test_what_is_no_readable_file_is_named(tmp_path: Path, kind: str) -> None:
    """Whether it is to be read or streamed."""
    path = tmp_path / "x"
    if kind == "folder":
        path.mkdir()
    if kind == "pipe":
        os.mkfifo(path)  # nobody writes to it: opening must not wait for that
    file = SourceFile(str(path), "css/x", 1)
    for read in (lambda: read_source(file, 10), lambda: Stream(file, None)):
        with pytest.raises(SourceError, match=r"^css/x: ") as failure:
            read()
        assert failure.value.name == "css/x"


def test_a_body_knows_what_was_read_and_what_is_stored() -> None:
    """The xxh3_128 is of the source, the MD5 of what is sent."""
    plain = make_body(b"abc", None)
    assert (plain.data, plain.xxh3) == (b"abc", xxhash.xxh3_128_digest(b"abc"))
    assert plain.md5 == hashlib.md5(b"abc").digest()
    packed = make_body(b"abc", squeeze)
    assert gzip.decompress(packed.data) == b"abc"
    assert packed.xxh3 == plain.xxh3
    assert packed.md5 == hashlib.md5(packed.data).digest()


def test_gzip_of_the_other_kind_differs_in_one_byte_and_unpacks_the_same() -> None:
    """There and back."""
    data = gzip.compress(b"abc", mtime=0)
    other = other_gzip(data)
    assert gzip.decompress(other) == b"abc"
    assert sum(a != b for a, b in zip(data, other, strict=True)) <= 1
    assert other_gzip(other)[9] in {3, 255}
    assert other_gzip(other) != other


# -- streaming ----------------------------------------------------------------------------------


@pytest.mark.parametrize("held", [True, False], ids=["in memory", "on disk"])
@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 25])
def test_a_stream_gives_parts_and_knows_them(tmp_path: Path, held: bool, size: int) -> None:
    """All of the same size but the last."""
    data = bytes(range(size))
    file = SourceFile("", "a", size, data) if held else on_disk(tmp_path, data)
    with Stream(file, None) as stream:
        parts = list(stream.parts(10))
        assert b"".join(parts) == data
        assert all(len(part) == 10 for part in parts[:-1])
        assert stream.xxh3 == xxhash.xxh3_128_digest(data)
        assert stream.md5 == hashlib.md5(data).digest()
        assert (stream.size, stream.wire) == (size, size)


def test_a_compressed_stream_digests_both_sides(tmp_path: Path) -> None:
    """Source and stored bytes."""
    data = b"abc" * 1000
    with Stream(on_disk(tmp_path, data), squeeze) as stream:
        stored = b"".join(stream.parts(10))
        assert gzip.decompress(stored) == data
        assert stream.xxh3 == xxhash.xxh3_128_digest(data)
        assert stream.md5 == hashlib.md5(stored).digest()
        assert stream.wire == len(stored)


@pytest.mark.parametrize("change", ["shrinks", "grows", "is rewritten"])
def test_a_file_that_changes_while_it_is_streamed_has_failed(tmp_path: Path, change: str) -> None:
    """Before its last part is handed out."""
    file = on_disk(tmp_path, b"0" * 25)
    path = tmp_path / "a.css"
    with Stream(file, None) as stream:
        parts = stream.parts(10)
        assert next(parts) == b"0" * 10
        os.truncate(path, {"shrinks": 15, "grows": 35, "is rewritten": 25}[change])
        os.utime(path, ns=(1, 1))
        with pytest.raises(UploadError, match=r"^css/a\.css: .* changed"):
            list(parts)
        assert stream.wire <= 20


def test_a_disk_that_fails_while_a_file_is_streamed_is_told(tmp_path: Path) -> None:
    """The file is named, with the system's reason."""
    with Stream(on_disk(tmp_path, b"0" * 25), None) as stream:
        stream._raw.close()
        stream._raw = stream._source._raw = Broken()  # type: ignore[assignment]
        with pytest.raises(SourceError, match=r"^css/a\.css: cannot read .*: Input/output error"):
            list(stream.parts(10))


class Broken(io.RawIOBase):
    def readinto(self, buffer: Any) -> int:
        raise OSError(5, "Input/output error")


def test_short_reads_are_put_together(tmp_path: Path) -> None:
    """A compressor may give less than it is asked for."""

    class Drip(io.RawIOBase):
        left = [b"abc", b"de", b"fghij", b"k"]

        def read(self, size: int = -1) -> bytes:
            return self.left.pop(0) if self.left else b""

    file = SourceFile("", "a", 0, b"")
    with Stream(file, lambda source: Drip()) as stream:  # type: ignore[arg-type,return-value]
        assert list(stream.parts(10)) == [b"abcdefghij", b"k"]


def test_a_hashing_file_can_be_rewound_to_its_start_only() -> None:
    """What the libraries do before they compress."""
    file = Hashing(io.BytesIO(b"abc"))
    assert (file.readable(), file.seekable(), file.read(2), file.tell()) == (True, True, b"ab", 2)
    assert file.seek(0) == 0
    assert file.read() == b"abc"
    assert file.hash.digest() == xxhash.xxh3_128_digest(b"abc")
    with pytest.raises(io.UnsupportedOperation):
        file.seek(1)
    with pytest.raises(io.UnsupportedOperation):
        file.seek(0, os.SEEK_END)


# -- in flight ----------------------------------------------------------------------------------


def test_no_more_bytes_are_in_flight_than_the_bound() -> None:
    """Many threads, sizes of all kinds; what is larger than the bound goes alone."""
    flight = Flight(10 * SMALL)
    lock = threading.Lock()
    held, most = 0, 0

    def upload(size: int) -> None:
        nonlocal held, most
        with flight.hold(size):
            with lock:
                held += size
                most = max(most, min(held, held if size <= flight.bound else size))
                alone = held == size
            assert size <= flight.bound or alone
            with lock:
                held -= size

    sizes = [SMALL * (1 + number % 12) for number in range(400)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(upload, sizes))
    assert held == 0
    assert most <= 12 * SMALL
    assert flight._free == flight.bound


def test_small_bodies_take_no_lock() -> None:
    """Even while nothing is free."""
    flight = Flight(SMALL)
    with flight.hold(SMALL), flight.hold(SMALL - 1):
        assert flight._free == 0


def test_a_large_file_is_not_overtaken_for_ever() -> None:
    """First come, first served."""
    flight = Flight(4)
    order: list[str] = []
    flight.take(4)

    def take(name: str, size: int) -> None:
        flight.take(size)
        order.append(name)

    threads = []
    for name, size in (("large", 4), ("small", 1)):
        before = len(flight._waiting)
        threads.append(threading.Thread(target=take, args=(name, size)))
        threads[-1].start()
        while len(flight._waiting) == before:
            pass
    flight.give(1)
    assert order == []
    flight.give(3)
    threads[0].join(10)
    flight.give(4)
    threads[1].join(10)
    assert order == ["large", "small"]


# -- judging ------------------------------------------------------------------------------------


def test_an_etag_is_judged_by_those_of_its_group() -> None:
    """Nothing is damage until another upload has shown that ETags are MD5s here."""
    judge = Judge()
    judge.see("a", "x", "y", "kms")
    judge.see("b", "x", "y")
    assert judge.unjudged() == {}
    judge.see("c", "z", "z")
    judge.see("d", "z", "z")
    judge.see("e", "x", "y", "kms")
    assert list(judge.unjudged()) == ["b"]
    with pytest.raises(UploadError, match=r"^f: the storage answered another checksum") as failure:
        judge.see("f", "x", "y")
    assert failure.value.name == "f"


# -- headers ------------------------------------------------------------------------------------


@given(
    st.lists(st.text("ab.", min_size=1, max_size=4), min_size=1, max_size=3),
    st.sampled_from(
        ["", ".css", ".tar.gz", ".svgz", ".tgz", ".CSS", ".Z", ".gz", ".js.br", ".x.y.z", ".tar.GZ"]
    ),
)
def test_the_end_of_a_name_is_all_that_guessing_looks_at(parts: list[str], end: str) -> None:
    """So one guess serves all names that end alike."""
    name = posixpath.join(*parts) + end
    suffix = type_suffix(name)
    assert name.endswith(suffix)
    stem = name.removesuffix(suffix)
    assert mimetypes.guess_type(name) == mimetypes.guess_type(f"other/stem{suffix}"), (stem, suffix)


@pytest.mark.parametrize("name", ["LICENSE", "a.b/LICENSE", ".css", "a/.css", "a/..css"])
def test_names_without_an_end_share_one_guess(name: str) -> None:
    """A folder's dots are none of theirs, nor are leading ones."""
    assert type_suffix(name) == ""


def test_a_name_that_looks_like_a_url_is_guessed_by_itself() -> None:
    """``mimetypes`` would read its scheme."""
    assert type_suffix("data:text/css,x") == "data:text/css,x"


def test_fingerprints_do_not_depend_on_the_order_of_parameters() -> None:
    """Nor on the process; on gzip they do."""
    one = Headers.of({"a": "1", "b": {"c": 2}})
    assert one.fingerprint == Headers.of({"b": {"c": 2}, "a": "1"}).fingerprint
    assert one.fingerprint != Headers.of({"a": "1", "b": {"c": 2}}, gzip=True).fingerprint
    assert len(one.fingerprint) == 16


def test_replaced_methods_are_found_wherever_they_were_replaced() -> None:
    """In a subclass, in a mixin, on the instance; properties are not read."""

    class Library:
        def save(self) -> None: ...

        @property
        def bucket(self) -> int:
            raise RuntimeError("read")

    class Mixin:
        def save(self) -> None: ...

    names = ("save", "bucket", "absent")
    assert overridden(Library(), Library, names) is None
    assert overridden(type("Own", (Library,), {})(), Library, names) is None
    assert overridden(type("Own", (Mixin, Library), {})(), Library, names) == "save"
    assert overridden(type("Own", (Library,), {"bucket": 1})(), Library, names) == "bucket"
    patched: Any = Library()
    patched.save = print
    assert overridden(patched, Library, names) == "save"
