"""A folder as a destination, when something is in the way: one line, and nothing half-done."""

from __future__ import annotations

import errno
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.storage import FileSystemStorage

from collectfasta.exceptions import SourceError, UploadError
from collectfasta.strategies.disk import writing
from collectfasta.strategies.disk.paths import PART_PREFIX, PART_SUFFIX, is_old
from collectfasta.strategies.filesystem import FileSystemStrategy
from tests.strategies.kit import LARGE, source, tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def strategy(root: Path) -> FileSystemStrategy:
    return FileSystemStrategy(FileSystemStorage(location=root))


def failing(code: int, calls: int = 0) -> Callable[..., Any]:
    """A system call that fails after it has been called so many times."""
    count = iter(range(calls))

    def call(descriptor: int, data: memoryview) -> int:
        if next(count, None) is None:
            raise OSError(code, os.strerror(code))
        return REAL_WRITE(descriptor, data)

    return call


REAL_WRITE = os.write


def test_a_file_where_a_folder_must_be(
    tmp_path: Path, root: Path, strategy: FileSystemStrategy
) -> None:
    """The message names what is in the way, however deep the file would be."""
    (root / "css").write_bytes(b"a file")
    for name in ("css/a.css", "css/deep/er/a.css"):
        with pytest.raises(UploadError) as caught:
            strategy.upload(source(tmp_path, name, b"a"))
        path = root / name
        assert str(caught.value) == f"{name}: cannot write {path}: {root / 'css'} is not a folder."
        assert caught.value.name == name
    assert tree(root) == {"css": b"a file"}


def test_a_dangling_link_where_a_folder_must_be(
    tmp_path: Path, root: Path, strategy: FileSystemStrategy
) -> None:
    """It is not followed to make a folder elsewhere."""
    (root / "css").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UploadError, match="css is not a folder"):
        strategy.upload(source(tmp_path, "css/a.css", b"a"))
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_where_a_file_must_be(
    tmp_path: Path, root: Path, strategy: FileSystemStrategy
) -> None:
    """A folder that holds something stays; an empty one makes way, as in Django."""
    (root / "full.css").mkdir()
    (root / "full.css" / "x").write_bytes(b"x")
    (root / "empty.css").mkdir()
    with pytest.raises(UploadError, match=r"^full\.css: cannot write \S+: there is a folder"):
        strategy.upload(source(tmp_path, "full.css", b"a"))
    strategy.upload(source(tmp_path, "empty.css", b"a"))
    assert tree(root) == {"full.css/x": b"x", "empty.css": b"a"}


@pytest.mark.parametrize("size", [10, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path,
    root: Path,
    strategy: FileSystemStrategy,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    code: int,
) -> None:
    """A full disk: the file is named, what was there is whole, nothing of ours is left."""
    strategy.upload(source(tmp_path, "a.css", b"old"))
    monkeypatch.setattr(os, "write", failing(code, calls=1 if size > 10 else 0))
    with pytest.raises(UploadError) as caught:
        strategy.upload(source(tmp_path, "a.css", b"n" * size))
    assert str(caught.value) == f"a.css: cannot write {root / 'a.css'}: {os.strerror(code)}."
    assert tree(root) == {"a.css": b"old"}


def test_short_writes_are_completed(
    tmp_path: Path, root: Path, strategy: FileSystemStrategy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system may take fewer bytes than it is given."""
    monkeypatch.setattr(os, "write", lambda fd, data: REAL_WRITE(fd, data[:7]))
    strategy.upload(source(tmp_path, "a.css", b"0123456789" * 3))
    assert tree(root) == {"a.css": b"0123456789" * 3}


def test_no_folder_can_be_made(tmp_path: Path) -> None:
    """A destination below something that takes no files."""
    strategy = FileSystemStrategy(FileSystemStorage(location="/proc/nowhere"))
    with pytest.raises(UploadError, match=r"^a\.css: cannot write /proc/nowhere/a\.css: [^\n]+\.$"):
        strategy.upload(source(tmp_path, "a.css", b"a"))


def test_a_folder_may_be_made_by_another_thread(
    tmp_path: Path, root: Path, strategy: FileSystemStrategy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both see that it is not there; one makes it; the other goes on."""
    real = os.mkdir

    def beaten(path: str) -> None:
        real(path)
        real(path)

    file = source(tmp_path, "b/c/a.css", b"a")
    monkeypatch.setattr(os, "mkdir", beaten)
    strategy.upload(file)
    assert tree(root) == {"b/c/a.css": b"a"}


def test_a_group_that_must_not_be_given_is_left(
    tmp_path: Path, root: Path, strategy: FileSystemStrategy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in Django, that is no error."""

    def forbidden(*args: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", forbidden)
    strategy._writer._group = os.stat(root).st_gid + 1
    strategy.upload(source(tmp_path, "a.css", b"a"))
    assert tree(root) == {"a.css": b"a"}


@pytest.mark.parametrize("change", ["grow", "shrink", "touch"])
def test_a_large_source_that_changes_meanwhile_is_not_published(
    tmp_path: Path,
    root: Path,
    strategy: FileSystemStrategy,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    """Half old and half new bytes are nothing that anybody has collected."""
    file = source(tmp_path, "a.bin", b"1" * LARGE)

    def write(descriptor: int, data: memoryview) -> int:
        if change == "grow":
            with open(file.path, "ab") as more:
                more.write(b"2")
        elif change == "shrink":
            os.truncate(file.path, 5)
        else:
            os.utime(file.path, (1, 1))
        return REAL_WRITE(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(UploadError, match=r"^a\.bin: \S+ changed while it was read\.$"):
        strategy.upload(file)
    assert tree(root) == {}


def test_a_large_source_that_cannot_be_read_is_named(
    tmp_path: Path, root: Path, strategy: FileSystemStrategy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is opened, and while it is read."""
    file = source(tmp_path, "a.bin", b"1" * LARGE)

    class Broken:
        def readinto(self, buffer: memoryview) -> int:
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(SourceError, match=r"^a\.bin: cannot read \S+: Input/output error\.$"):
        writing._read(Broken(), memoryview(bytearray(1)), file)  # type: ignore[arg-type]  # like it
    monkeypatch.setattr(writing, "read_source", lambda file, limit: os.unlink(file.path))
    with pytest.raises(
        SourceError, match=r"^a\.bin: cannot read \S+: No such file or directory\.$"
    ):
        strategy.upload(file)
    assert tree(root) == {}


def test_what_killed_runs_have_left_is_removed_after_a_day(
    tmp_path: Path, root: Path, strategy: FileSystemStrategy
) -> None:
    """Where something is written anyway; and nothing else that merely looks old."""
    (root / "css").mkdir()
    old = root / "css" / f"{PART_PREFIX}1-2-3{PART_SUFFIX}"
    young = root / "css" / f"{PART_PREFIX}1-2-4{PART_SUFFIX}"
    mine = root / "css" / ".collectfasta.part"
    for path in (old, young, mine):
        path.write_bytes(b"half")
        if path is not young:
            os.utime(path, (time.time() - 90_000,) * 2)
    strategy.head("css/a.css")
    assert old.exists()
    strategy.upload(source(tmp_path, "css/a.css", b"a"))
    strategy.upload(source(tmp_path, "css/b.css", b"b"))
    names = {path.name for path in (root / "css").iterdir()}
    assert names == {"a.css", "b.css", young.name, mine.name}


def test_what_is_gone_is_not_old(root: Path) -> None:
    """Another run may remove a leftover first."""
    assert not is_old(str(root / "absent"))


def test_an_interrupt_removes_what_is_unfinished(
    tmp_path: Path, root: Path, strategy: FileSystemStrategy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy that hangs is not waited for; it can put nothing in place afterwards."""
    writes, goes_on = threading.Event(), threading.Event()

    def hang(descriptor: int, data: memoryview) -> int:
        writes.set()
        assert goes_on.wait(30)
        return REAL_WRITE(descriptor, data)

    file = source(tmp_path, "a.css", b"new")
    strategy.upload(source(tmp_path, "b.css", b"b"))
    monkeypatch.setattr(os, "write", hang)
    errors: list[UploadError] = []

    def upload() -> None:
        with pytest.raises(UploadError) as caught:
            strategy.upload(file)
        errors.append(caught.value)

    thread = threading.Thread(target=upload)
    thread.start()
    assert writes.wait(30)
    assert len(tree(root)) == 2
    strategy.interrupt()
    assert tree(root) == {"b.css": b"b"}
    goes_on.set()
    thread.join(30)
    assert len(errors) == 1
    with pytest.raises(UploadError, match="interrupted"):
        strategy.upload(file)
    assert tree(root) == {"b.css": b"b"}


def test_many_threads_may_write_at_once(
    tmp_path: Path, root: Path, strategy: FileSystemStrategy
) -> None:
    """Into the same new folders, and the same file: the last one wins, each copy is whole."""
    files = [source(tmp_path / str(n), f"x/{n % 3}/same.css", bytes([n]) * 4096) for n in range(24)]
    threads = [threading.Thread(target=strategy.upload, args=(file,)) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    found = tree(root)
    assert set(found) == {"x/0/same.css", "x/1/same.css", "x/2/same.css"}
    assert all(len(data) == 4096 and len(set(data)) == 1 for data in found.values())
