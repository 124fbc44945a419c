"""Disk storages whose users have replaced what we would bypass: their own ``save`` is used."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from collectfasta.exceptions import DestinationError, UploadError
from collectfasta.items import SourceFile
from collectfasta.strategies import filesystem
from collectfasta.strategies.filesystem import HOOKS, FileSystemStrategy
from tests.strategies.kit import LARGE, digest, source, tree


class Stamping(FileSystemStorage):
    """It puts a line before what it saves."""

    def _save(self, name: str, content: Any) -> str:
        return super()._save(name, ContentFile(b"stamped\n" + content.read()))


class Counting(FileSystemStorage):
    """It counts what it saves, and saves it as Django does."""

    saved = 0

    def save(self, name: str, content: Any, max_length: int | None = None) -> str:
        self.saved += 1
        return super().save(name, content, max_length)


class Sharded(FileSystemStorage):
    """It has folders of its own."""

    def path(self, name: str) -> str:
        return super().path(f"shard-{len(name)}/{name}") if name else super().path(name)


class Broken(FileSystemStorage):
    def _save(self, name: str, content: Any) -> str:
        raise ValueError("see https://user:secret@example.org/x?token=secret\nand more")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.mark.parametrize("hook", [*HOOKS, "path"])
def test_any_method_that_we_stand_in_for_is_the_users_choice(root: Path, hook: str) -> None:
    """And ``-v2`` says which one it was; overridden in the class, or on the instance."""
    original = getattr(FileSystemStorage, hook)

    def own(self: FileSystemStorage, *args: Any, **kwargs: Any) -> Any:
        return original(self, *args, **kwargs)

    subclass = type("Mine", (FileSystemStorage,), {hook: own})
    expected = f"disk: the storage's own save, because {hook} is overridden"
    assert FileSystemStrategy(subclass(location=root)).transport() == expected
    storage = FileSystemStorage(location=root)
    setattr(storage, hook, lambda *args, **kwargs: original(storage, *args, **kwargs))
    assert FileSystemStrategy(storage).transport() == expected


@pytest.mark.parametrize("size", [5, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("options", [{}, {"allow_overwrite": True}], ids=["renames", "overwrites"])
def test_its_save_writes_in_place(
    tmp_path: Path, root: Path, size: int, options: dict[str, Any]
) -> None:
    """Under exactly the name, twice; and nothing else is left."""
    strategy = FileSystemStrategy(Counting(location=root, **options))
    for data in (b"1" * size, b"2" * (size - 1)):
        file = source(tmp_path, "css/a.css", data)
        sent = strategy.upload(file)
        assert tree(root) == {"css/a.css": data}
        assert sent.xxh3 == digest(file).xxh3
        remote = strategy.head("css/a.css")
        assert remote is not None
        assert remote.etag == sent.etag
    assert strategy.remote_storage.saved == 2


def test_what_is_saved_differently_has_no_etag(tmp_path: Path, root: Path) -> None:
    """So no record can ever claim that the copy holds the source's bytes."""
    strategy = FileSystemStrategy(Stamping(location=root))
    sent = strategy.upload(source(tmp_path, "a.css", b"a"))
    assert tree(root) == {"a.css": b"stamped\na"}
    assert sent.etag == ""
    strategy.upload(SourceFile("", "a.css", 1, b"b"))
    assert tree(root) == {"a.css": b"stamped\nb"}


def test_nothing_is_written_through_a_link(tmp_path: Path, root: Path) -> None:
    """A storage that overwrites in place would write into the source."""
    original = source(tmp_path, "original.css", b"original")
    root.mkdir()
    (root / "a.css").symlink_to(original.path)
    strategy = FileSystemStrategy(Counting(location=root, allow_overwrite=True))
    strategy.upload(source(tmp_path, "a.css", b"a"))
    assert Path(original.path).read_bytes() == b"original"
    assert not (root / "a.css").is_symlink()
    assert tree(root) == {"a.css": b"a"}


def test_what_was_there_comes_back_if_saving_fails(tmp_path: Path, root: Path) -> None:
    """The message is one line, without what the error had of a URL's secrets."""
    root.mkdir()
    (root / "a.css").write_bytes(b"old")
    strategy = FileSystemStrategy(Broken(location=root))
    for name in ("a.css", "new.css"):
        with pytest.raises(UploadError) as caught:
            strategy.upload(source(tmp_path, name, b"a"))
        assert str(caught.value) == (
            f"{name}: cannot be saved: ValueError: see https://example.org/x and more."
        )
        assert isinstance(caught.value.__cause__, ValueError)
    assert tree(root) == {"a.css": b"old"}


def test_a_name_of_its_own_making_is_undone(tmp_path: Path, root: Path) -> None:
    """Where nothing would look for it; what was there before is put back."""

    class Renaming(FileSystemStorage):
        def save(self, name: str, content: Any, max_length: int | None = None) -> str:
            return super().save(f"{name}.v2", content, max_length)

    root.mkdir()
    (root / "a.css").write_bytes(b"old")
    strategy = FileSystemStrategy(Renaming(location=root))
    with pytest.raises(UploadError, match=r"^a\.css: the storage saved it as 'a\.css\.v2' instead"):
        strategy.upload(source(tmp_path, "a.css", b"a"))
    assert tree(root) == {"a.css": b"old"}


def test_a_folder_in_the_way(tmp_path: Path, root: Path) -> None:
    """An empty one makes way; another is an error that names the file."""
    (root / "full.css").mkdir(parents=True)
    (root / "full.css" / "x").write_bytes(b"x")
    (root / "empty.css").mkdir()
    strategy = FileSystemStrategy(Counting(location=root))
    with pytest.raises(UploadError, match=r"^full\.css: cannot write \S+: there is a folder"):
        strategy.upload(source(tmp_path, "full.css", b"a"))
    strategy.upload(source(tmp_path, "empty.css", b"a"))
    assert tree(root) == {"empty.css": b"a", "full.css/x": b"x"}


def test_paths_of_its_own(tmp_path: Path, root: Path) -> None:
    """Looked at, compared and written where the storage says. What it would not find there is never
    cleared."""
    strategy = FileSystemStrategy(Sharded(location=root))
    file = source(tmp_path, "css/a.css", b"a")
    sent = strategy.upload(file)
    assert tree(root) == {"shard-9/css/a.css": b"a"}
    assert strategy.beside("css/a.css") == str(root / "shard-9/css/a.css")
    (page,) = strategy.list(["css/a.css"])
    assert [remote.etag for remote in page] == [sent.etag]
    assert list(strategy.list_all()) == []


def test_its_own_way_to_delete(tmp_path: Path, root: Path) -> None:
    """Is used, except for links, of which only the link goes."""

    class Bin(FileSystemStorage):
        def delete(self, name: str) -> None:
            if name == "kept.css":
                raise RuntimeError("no")
            os.rename(self.path(name), self.path(f"bin-{name}"))

    strategy = FileSystemStrategy(Bin(location=root))
    assert "own save" not in strategy.transport()
    for name in ("a.css", "kept.css"):
        strategy.upload(source(tmp_path, name, b"a"))
    (root / "link.css").symlink_to("a.css")
    strategy.delete(["a.css", "link.css"])
    assert tree(root) == {"bin-a.css": b"a", "kept.css": b"a"}
    assert not (root / "link.css").is_symlink()
    expected = r"^Could not delete kept\.css: cannot be deleted: RuntimeError: no\.$"
    with pytest.raises(DestinationError, match=expected):
        strategy.delete(["kept.css"])


def test_a_copy_that_another_run_writes_has_no_etag(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its etag would stand for other bytes than ours."""
    real = filesystem._xxh3

    def overtaken(path: str) -> bytes:
        seen = real(path)
        Path(path).write_bytes(b"theirs")
        return seen

    monkeypatch.setattr(filesystem, "_xxh3", overtaken)
    strategy = FileSystemStrategy(Counting(location=root))
    assert strategy.upload(source(tmp_path, "a", b"a")).etag == ""


def test_a_copy_that_is_gone_again_has_no_etag(tmp_path: Path, root: Path) -> None:
    """Somebody else may delete it at any time."""

    class Gone(FileSystemStorage):
        def save(self, name: str, content: Any, max_length: int | None = None) -> str:
            saved = super().save(name, content, max_length)
            os.unlink(self.path(name))
            return str(saved)

    assert FileSystemStrategy(Gone(location=root)).upload(source(tmp_path, "a", b"a")).etag == ""
