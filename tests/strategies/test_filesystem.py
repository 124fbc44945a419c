"""A folder as a destination: what is looked at, what is copied, and how."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage, StaticFilesStorage
from django.core.files.storage import FileSystemStorage

from collectfasta.exceptions import DestinationError, SettingError, SourceError, UploadError
from collectfasta.items import Digest, SourceFile
from collectfasta.strategies.disk.paths import PART_PREFIX, PART_SUFFIX
from collectfasta.strategies.filesystem import CachingFileSystemStrategy, FileSystemStrategy
from tests.strategies.kit import LARGE, digest, mode_of, source, tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def disk(root: Path, **options: Any) -> FileSystemStrategy:
    return FileSystemStrategy(FileSystemStorage(location=root, **options))


def listed(strategy: FileSystemStrategy, *names: str) -> dict[str, int]:
    return {seen.name: seen.size for page in strategy.list(sorted(names)) for seen in page}


@pytest.mark.parametrize(
    "data",
    [b"", b"a{}", b"x" * (1 << 20), os.urandom(LARGE)],
    ids=["empty", "small", "1MiB", "large"],
)
@pytest.mark.parametrize("memory", [False, True])
def test_a_file_is_copied_and_digested(
    tmp_path: Path, root: Path, data: bytes, memory: bool
) -> None:
    """Whatever its size, and whether its bytes are on disk or in memory."""
    file = source(tmp_path, "css/deep/a.css", b"before" if memory else data)
    if memory:
        file = SourceFile(file.path, file.name, len(data), data)
    strategy = disk(root)
    sent = strategy.upload(file)
    assert tree(root) == {"css/deep/a.css": data}
    copy = source(tmp_path, "expected", data)
    assert sent.xxh3 == digest(copy).xxh3
    assert sent.wire == len(data)
    remote = strategy.head("css/deep/a.css")
    assert remote is not None
    assert remote.etag == sent.etag
    assert remote.size == len(data)


def test_replacing_is_atomic(tmp_path: Path, root: Path) -> None:
    """Whoever has the old file open goes on reading the old bytes."""
    strategy = disk(root)
    strategy.upload(source(tmp_path, "a.css", b"old"))
    with (root / "a.css").open("rb") as old:
        strategy.upload(source(tmp_path, "a.css", b"newer"))
        assert old.read() == b"old"
    assert tree(root) == {"a.css": b"newer"}


def test_a_link_is_replaced_and_never_followed(tmp_path: Path, root: Path) -> None:
    """What ``--link`` has left leads to a source, which must not be written to."""
    file = source(tmp_path, "a.css", b"new")
    original = source(tmp_path, "original.css", b"original")
    root.mkdir()
    (root / "a.css").symlink_to(original.path)
    strategy = disk(root)
    strategy.upload(file)
    assert not (root / "a.css").is_symlink()
    assert tree(root) == {"a.css": b"new"}
    assert Path(original.path).read_bytes() == b"original"


def test_a_link_is_no_copy_even_of_the_same_bytes(tmp_path: Path, root: Path) -> None:
    """As in Django: without ``--link``, links are replaced."""
    file = source(tmp_path, "a.css", b"same")
    root.mkdir()
    (root / "a.css").symlink_to(file.path)
    strategy = disk(root)
    remote = strategy.head("a.css")
    assert remote is not None
    assert strategy.same_bytes(file, digest(file), remote) is False


def test_a_hard_link_to_the_source_is_cut(tmp_path: Path, root: Path) -> None:
    """Replacing gives the copy an inode of its own."""
    file = source(tmp_path, "a.css", b"bytes")
    root.mkdir()
    os.link(file.path, root / "a.css")
    disk(root).upload(file)
    assert os.stat(file.path).st_ino != os.stat(root / "a.css").st_ino


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"file_permissions_mode": 0o640, "directory_permissions_mode": 0o750},
        {"file_permissions_mode": None},
        {"file_permissions_mode": 0o666, "directory_permissions_mode": 0o2775},
    ],
    ids=["default", "both", "umask", "wide"],
)
def test_permissions_are_those_of_django(
    tmp_path: Path, root: Path, umask: int, options: dict[str, Any]
) -> None:
    """Every file and folder has what the storage's own save gives it."""
    file = source(tmp_path, "b/c/d.txt", b"1")
    theirs = FileSystemStorage(location=tmp_path / "theirs", **options)
    before = os.umask(umask)
    try:
        with open(file.path, "rb") as content:
            theirs.save(file.name, content)
        disk(root, **options).upload(file)
    finally:
        os.umask(before)
    for name in ("b", "b/c", "b/c/d.txt"):
        assert mode_of(root / name) == mode_of(tmp_path / "theirs" / name), name


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder to another group")
def test_files_belong_to_the_group_of_the_root(tmp_path: Path, root: Path) -> None:
    """As in Django."""
    root.mkdir()
    os.chown(root, -1, 12345)
    disk(root).upload(source(tmp_path, "a.css", b"a"))
    assert os.stat(root / "a.css").st_gid == 12345


@pytest.mark.parametrize("storage", [StaticFilesStorage, ManifestStaticFilesStorage])
def test_djangos_own_storages_are_copied_to_directly(root: Path, storage: type) -> None:
    """Static files' storages override ``path``, in a way that changes nothing."""
    strategy = FileSystemStrategy(storage(location=str(root), base_url="/static/"))
    assert strategy.transport() == "disk: copied beside its place and moved there"
    assert strategy.fingerprint("a.css") == ""
    assert 1 <= strategy.threads_for(10_000) <= 8


def test_without_a_root_the_error_is_one_line() -> None:
    """It is Django's sentence."""
    with pytest.raises(SettingError, match=r"^You're using .* STATIC_ROOT [^\n]*$"):
        FileSystemStrategy(StaticFilesStorage(location=None, base_url="/static/"))


def test_a_relative_root_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two ways to write one folder are one destination."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "root")
    assert disk(Path("root")).identity() == f"disk:{os.path.realpath(tmp_path / 'root')}"
    assert disk(Path("link")).identity() == disk(Path("root/")).identity()


def test_only_what_is_a_file_is_listed(tmp_path: Path, root: Path) -> None:
    """Folders and what is absent are not there; foreign files are not looked at."""
    strategy = disk(root)
    assert listed(strategy, "a.css", "css/b.css") == {}
    for name in ("a.css", "css/b.css", "css/sub/c.css", "foreign/x.css", ".hidden/d.css"):
        strategy.upload(source(tmp_path, name, name.encode()))
    names = (
        "a.css",
        "css",
        "css/b.css",
        "css/sub/c.css",
        "css/z.css",
        "gone/e.css",
        ".hidden/d.css",
    )
    assert listed(strategy, *names) == {
        "a.css": 5,
        "css/b.css": 9,
        "css/sub/c.css": 13,
        ".hidden/d.css": 13,
    }


@pytest.mark.parametrize(
    "name", ["a.css/b.css", "loop", "x" * 300, "a\0b", "\ud800", "../up.css", "b/../../u"]
)
def test_what_cannot_be_there_is_absent(root: Path, name: str) -> None:
    """A name below a file, one that is too long, or one that leads out of the folder."""
    root.mkdir()
    (root / "a.css").write_bytes(b"a")
    (root / "loop").symlink_to("loop")
    strategy = disk(root)
    if name == "loop":
        assert listed(strategy, "loop/x") == {}
    else:
        assert listed(strategy, name) == {}
        assert strategy.head(name) is None


def test_a_look_that_fails_ends_the_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An I/O error says nothing about whether a file is there."""

    def broken(path: str) -> os.stat_result:
        raise OSError(5, "Input/output error")

    strategy = disk(root)
    monkeypatch.setattr(os, "lstat", broken)
    with pytest.raises(DestinationError, match=r"^Cannot look at \S*a\.css: Input/output error\.$"):
        strategy.head("a.css")


def test_paths_are_those_of_the_storage(root: Path) -> None:
    """The short way and the storage's own agree, whatever the name."""
    strategy = disk(root)
    names = [
        "a.css",
        "b/c.css",
        "a..b/c",
        ".x/y",
        "./a",
        "a//b",
        "a/./b",
        "b/../c",
        "a/.",
        "ü/ß.css",
    ]
    for name in names:
        assert strategy.beside(name) == FileSystemStorage(location=root).path(name)
    assert strategy.beside("../out") is None
    assert strategy.beside("/etc/passwd") is None


def test_equal_bytes_are_proven_by_reading(tmp_path: Path, root: Path) -> None:
    """Where the hash stage has not compared them already."""
    file = source(tmp_path, "a.css", b"12345")
    strategy = disk(root)
    strategy.upload(file)
    remote = strategy.head("a.css")
    assert remote is not None
    assert strategy.same_bytes(file, digest(file), remote) is True
    (root / "a.css").write_bytes(b"12340")
    assert strategy.same_bytes(file, digest(file), remote) is False
    assert strategy.same_bytes(file, Digest(b"", None, 5, same=True), remote) is True
    assert strategy.same_bytes(file, Digest(b"", None, 5, same=False), remote) is False
    (root / "a.css").unlink()
    assert strategy.same_bytes(file, digest(file), remote) is None


def test_an_etag_changes_with_every_write(tmp_path: Path, root: Path) -> None:
    """So a record proves that nobody has touched the copy."""
    strategy = CachingFileSystemStrategy(FileSystemStorage(location=root))
    assert strategy.uses_records
    assert not FileSystemStrategy.uses_records
    file = source(tmp_path, "a.css", b"1")
    first, second = strategy.upload(file), strategy.upload(file)
    assert first.etag != second.etag
    assert first.xxh3 == second.xxh3


def test_clearing_sees_all_and_only_what_is_inside(tmp_path: Path, root: Path) -> None:
    """Links go, what they lead to stays; so do folders, and the unfinished files of other runs."""
    outside = source(tmp_path, "outside/keep.css", b"keep")
    strategy = disk(root)
    assert list(strategy.list_all()) == []
    strategy.upload(source(tmp_path, "b/a.css", b"a"))
    strategy.upload(source(tmp_path, ".hidden", b"h"))
    (root / "folder").symlink_to(Path(outside.path).parent)
    (root / "file").symlink_to(outside.path)
    (root / "dangling").symlink_to("nowhere")
    old, young = (root / "b" / f"{PART_PREFIX}{age}{PART_SUFFIX}" for age in ("old", "young"))
    for part in (old, young):
        part.write_bytes(b"half")
    os.utime(old, (time.time() - 90_000,) * 2)
    names = list(strategy.list_all())
    assert sorted(names) == sorted([".hidden", "b/a.css", f"b/{old.name}", "dangling", "file"])
    strategy.delete([*names, "never/was"])
    assert tree(root) == {f"b/{young.name}": b"half"}
    assert (root / "folder" / "keep.css").read_bytes() == b"keep"
    assert Path(outside.path).read_bytes() == b"keep"
    assert (root / "b").is_dir()


def test_what_cannot_be_deleted_is_named(root: Path) -> None:
    """The first five of them, with the reason, in one line."""
    for number in range(7):
        (root / f"folder{number}").mkdir(parents=True)
    strategy = disk(root)
    with pytest.raises(DestinationError) as caught:
        strategy.delete([f"folder{number}" for number in range(7)])
    assert "\n" not in str(caught.value)
    assert "folder4" in str(caught.value)
    assert "folder5" not in str(caught.value)
    assert str(caught.value).endswith("and 2 more.")


def test_a_folder_that_cannot_be_read_ends_clearing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing would be deleted there without a word."""
    root.mkdir()

    def forbidden(path: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", forbidden)
    with pytest.raises(
        DestinationError, match=r"^Cannot read the folder \S+: Permission denied\.$"
    ):
        list(disk(root).list_all())


def test_a_name_that_leads_outside_is_refused(tmp_path: Path, root: Path) -> None:
    """Nothing is written, whatever a finder says."""
    file = source(tmp_path, "a.css", b"a")
    for name in ("../a.css", "/etc/a.css", "a\0b"):
        with pytest.raises(UploadError, match=r"would leave|no file can have"):
            disk(root).upload(SourceFile(file.path, name, 1))
    assert not root.exists()
    assert not (tmp_path / "a.css").exists()


def test_a_source_that_is_gone_is_named(tmp_path: Path, root: Path) -> None:
    """The copy from the last run stays."""
    file = source(tmp_path, "a.css", b"a")
    strategy = disk(root)
    strategy.upload(file)
    os.unlink(file.path)
    with pytest.raises(
        SourceError, match=r"^a\.css: cannot read \S+: No such file or directory\.$"
    ):
        strategy.upload(file)
    assert tree(root) == {"a.css": b"a"}
