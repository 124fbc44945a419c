"""The whole command, to a folder and to storages that nobody knows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.storage import FileSystemStorage

from tests.strategies.kit import PlainStorage, TimedStorage, tree
from tests.support import Result, static_storages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FILES = {"css/a.css": "aaa", "css/b.css": "bbb", "js/c.js": "ccc", "empty.txt": ""}
STATIC = "django.contrib.staticfiles.storage.StaticFilesStorage"
CACHING = "collectfasta.strategies.filesystem.CachingFileSystemStrategy"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def publish(
    tmp_path: Path, root: Path, tree: Callable[..., Path], collect: Callable[..., Result]
) -> Callable[..., Result]:
    """Collect the source tree into ``root``, or with another backend."""
    folder = tree(FILES)
    cache = {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": str(tmp_path / "cache"),
    }

    def run(*args: str, backend: str = STATIC, **settings: Any) -> Result:
        disk = "FileSystem" in backend or "Static" in backend or "Stubborn" in backend
        options = {"location": str(root), "base_url": "/static/"} if disk else {}
        return collect(
            *args,
            settings={
                "STATICFILES_DIRS": [str(folder)],
                "STORAGES": static_storages(backend, options),
                "CACHES": {"default": cache},
                **settings,
            },
        )

    return run


def states(folder: Path) -> dict[str, tuple[int, int]]:
    """What shows that a file has been written again."""
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def edit(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "static" / name).write_text(text)


@pytest.mark.parametrize("strategy", [None, CACHING])
def test_only_what_has_changed_is_written(
    tmp_path: Path, root: Path, publish: Callable[..., Result], strategy: str | None
) -> None:
    """Fresh modification times change nothing; an edit of the same size does."""
    assert publish(COLLECTFASTA_STRATEGY=strategy).status == 0
    assert tree(root) == {name: text.encode() for name, text in FILES.items()}
    first = states(root)
    for name in FILES:
        os.utime(tmp_path / "static" / name)
    assert publish(COLLECTFASTA_STRATEGY=strategy).status == 0
    assert states(root) == first
    edit(tmp_path, "css/a.css", "aaX")
    assert publish(COLLECTFASTA_STRATEGY=strategy).status == 0
    second = states(root)
    assert {name for name in FILES if first[name] != second[name]} == {"css/a.css"}
    assert (root / "css/a.css").read_text() == "aaX"


@pytest.mark.parametrize("strategy", [None, CACHING])
def test_what_somebody_else_has_done_is_put_right(
    root: Path, publish: Callable[..., Result], strategy: str | None
) -> None:
    """Deleted, overwritten with as many bytes, replaced by a link, replaced by an empty folder."""
    publish(COLLECTFASTA_STRATEGY=strategy)
    (root / "css/a.css").unlink()
    (root / "css/b.css").write_text("bbX")
    (root / "js/c.js").unlink()
    (root / "js/c.js").symlink_to(root / "css/b.css")
    (root / "empty.txt").unlink()
    (root / "empty.txt").mkdir()
    assert publish(COLLECTFASTA_STRATEGY=strategy).status == 0
    assert tree(root) == {name: text.encode() for name, text in FILES.items()}
    assert not (root / "js/c.js").is_symlink()


def test_without_records_every_copy_is_read(root: Path, publish: Callable[..., Result]) -> None:
    """A change that left no trace but the bytes is seen; that is what reading them is for."""
    publish()
    before = (root / "css/a.css").stat()
    (root / "css/a.css").write_text("aaX")
    os.utime(root / "css/a.css", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert publish().status == 0
    assert (root / "css/a.css").read_text() == "aaa"


def test_clear_deletes_what_was_not_collected(root: Path, publish: Callable[..., Result]) -> None:
    """After all has been written; folders stay, as in Django."""
    publish()
    (root / "old").mkdir()
    (root / "old" / "x.css").write_text("x")
    first = states(root)
    result = publish("--clear", "--dry-run")
    assert result.status == 0
    assert states(root) == first
    assert publish("--clear").status == 0
    assert tree(root) == {name: text.encode() for name, text in FILES.items()}
    assert (root / "old").is_dir()
    assert {name: first[name] for name in FILES} == states(root)


def test_one_file_that_cannot_be_written(
    tmp_path: Path, root: Path, publish: Callable[..., Result]
) -> None:
    """It is named, the others are there, and the next run heals it."""
    (root / "css/a.css").mkdir(parents=True)
    (root / "css/a.css" / "x").write_text("x")
    result = publish()
    assert result.status == 1
    assert "css/a.css: cannot write " in result.output
    assert "Traceback" not in result.output
    others = {name: text.encode() for name, text in FILES.items() if name != "css/a.css"}
    assert tree(root) == {**others, "css/a.css/x": b"x"}
    (root / "css/a.css" / "x").unlink()
    assert publish().status == 0
    assert tree(root) == {name: text.encode() for name, text in FILES.items()}


class Shared(PlainStorage):
    """What it holds outlives the instance, as with a real destination."""

    kept: dict[str, bytes] = {}
    calls_made: list[tuple[str, str]] = []

    def __init__(self) -> None:
        super().__init__()
        self.files = self.kept
        self.log = self.calls_made


class SharedTimed(TimedStorage):
    kept: dict[str, bytes] = {}
    kept_times: dict[str, Any] = {}
    calls_made: list[tuple[str, str]] = []

    def __init__(self) -> None:
        super().__init__()
        self.files, self.times, self.log = self.kept, self.kept_times, self.calls_made


@pytest.fixture(params=[Shared, SharedTimed])
def shared(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A storage that nobody knows, empty."""

    def forget() -> None:
        for cls in (Shared, SharedTimed):
            cls.kept.clear()
            cls.calls_made.clear()
        SharedTimed.kept_times.clear()

    forget()
    yield request.param
    forget()


def test_a_storage_that_nobody_knows(
    tmp_path: Path, publish: Callable[..., Result], shared: Any
) -> None:
    """Filled, left alone, one file edited; where times are known nothing is read a second time."""
    backend = f"{__name__}.{shared.__name__}"
    assert publish(backend=backend).status == 0
    assert publish(backend=backend).status == 0  # reads what is there, once
    assert shared.kept == {name: text.encode() for name, text in FILES.items()}
    shared.calls_made.clear()
    result = publish(backend=backend)
    assert result.status == 0, result.output
    called = {what for what, _ in shared.calls_made}
    assert called == ({"exists"} if shared is SharedTimed else {"exists", "open"})
    edit(tmp_path, "css/a.css", "aaX")
    shared.calls_made.clear()
    assert publish(backend=backend).status == 0
    assert [name for what, name in shared.calls_made if what == "save"] == ["css/a.css"]
    assert shared.kept["css/a.css"] == b"aaX"
    assert len(shared.kept) == len(FILES)


def test_clearing_a_storage_that_nobody_knows(publish: Callable[..., Result], shared: Any) -> None:
    """If it can list its files; if not, that is said in one line."""
    shared.kept["old/x.css"] = b"x"
    result = publish("--clear", backend=f"{__name__}.{shared.__name__}")
    if shared is Shared:
        assert result.status == 1
        assert "cannot list its files, so --clear cannot be used with it." in result.output
    else:
        assert result.status == 0, result.output
        assert set(shared.kept) == set(FILES)


class Stubborn(FileSystemStorage):
    """A disk with a ``save`` of its own."""

    def save(self, name: str, content: Any, max_length: int | None = None) -> str:
        if name == "js/c.js":
            raise OSError(28, "No space left on device")
        return super().save(name, content, max_length)


def test_a_disk_with_a_save_of_its_own(root: Path, publish: Callable[..., Result]) -> None:
    """Its errors are one line each; what it could save is there."""
    result = publish(backend=f"{__name__}.Stubborn")
    assert result.status == 1
    assert "js/c.js: cannot be saved: No space left on device." in result.output
    assert set(tree(root)) == set(FILES) - {"js/c.js"}
