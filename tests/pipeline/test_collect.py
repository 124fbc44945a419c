"""What the finders have, as Django's own command would collect it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.staticfiles.finders import BaseFinder, get_finder
from django.core.files.storage import FileSystemStorage, Storage
from django.test.utils import override_settings

from collectfasta.exceptions import SourceError
from collectfasta.pipeline.collect import Collected, collect
from tests.support import write_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = {
    "a.css": b"a",
    "css/a.css": b"aa",
    "css/deep/a.css": b"aaa",
    "css/.hidden": b"h",
    "CVS/x": b"x",
    "css/a.css~": b"b",
    "vendor/x.css": b"v",
    "js/sp ace#%.js": b"s",
    "js/é.js": b"e",
}
DEFAULT_IGNORED = ["CVS", ".*", "*~"]


def gather(ignore: list[str], *folders: Any, finders: list[str] | None = None) -> Collected:
    """Collect from ``folders``, and nothing from apps unless asked for."""
    get_finder.cache_clear()
    default = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    with override_settings(STATICFILES_DIRS=list(folders), STATICFILES_FINDERS=finders or default):
        try:
            return collect(ignore, lambda name: None)
        finally:
            get_finder.cache_clear()


def stock(ignore: list[str], *folders: Any, finders: list[str] | None = None) -> dict[str, bytes]:
    """The same through the finders' own ``list``."""
    from django.contrib.staticfiles.finders import get_finders

    get_finder.cache_clear()
    default = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    with override_settings(STATICFILES_DIRS=list(folders), STATICFILES_FINDERS=finders or default):
        found: dict[str, bytes] = {}
        for finder in get_finders():
            for path, storage in finder.list(list(ignore)):
                prefix = getattr(storage, "prefix", None)
                name = os.path.join(prefix, path) if prefix else path
                found.setdefault(name, Path(storage.path(path)).read_bytes())
        get_finder.cache_clear()
        return found


def contents(collected: Collected) -> dict[str, bytes]:
    return {file.name: Path(file.path).read_bytes() for file in collected.files}


@pytest.mark.parametrize(
    "ignore",
    [
        [],
        DEFAULT_IGNORED,
        ["*.css"],
        ["css"],
        ["css/*"],
        ["css/deep"],
        ["css/deep/*"],
        ["vendor"],
        ["*/a.css"],
        ["A.CSS"],
        ["[a]*"],
        ["js/*.js"],
    ],
    ids=str,
)
def test_ignore_patterns_mean_what_they_mean_to_django(tmp_path: Path, ignore: list[str]) -> None:
    """One walk with one compiled pattern finds what Django's finder finds."""
    folder = write_tree(tmp_path / "src", FILES)
    collected = gather(ignore, str(folder), ("pre/fix", str(folder)))
    assert contents(collected) == stock(ignore, str(folder), ("pre/fix", str(folder)))
    assert {file.name: file.size for file in collected.files} == {
        name: len(data) for name, data in contents(collected).items()
    }


def test_files_of_apps_are_found_as_django_finds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through ``AppDirectoriesFinder``. The apps are ours: Django's register checks for good."""
    finders = ["django.contrib.staticfiles.finders.AppDirectoriesFinder"]
    apps = ["collected_shop", "collected_blog", "collected_without"]
    for app in apps:
        write_tree(tmp_path / app, {"__init__.py": b"", "models.py": b""})
    for app in apps[:2]:
        write_tree(tmp_path / app / "static", {**FILES, f"{app}/a.css": app.encode()})
    monkeypatch.syspath_prepend(tmp_path)
    try:
        with override_settings(INSTALLED_APPS=apps):
            found = gather(DEFAULT_IGNORED, finders=finders)
            assert contents(found) == stock(DEFAULT_IGNORED, finders=finders)
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] in apps]:
            del sys.modules[name]
    assert {f"{app}/a.css" for app in apps[:2]} < {file.name for file in found.files}
    assert "a.css" in found.conflicts


def test_the_first_of_two_files_with_one_name_wins(tmp_path: Path) -> None:
    """And the second is told."""
    first = write_tree(tmp_path / "1", {"a.css": b"first"})
    second = write_tree(tmp_path / "2", {"a.css": b"second", "b.css": b"b"})
    collected = gather([], str(first), str(second))
    assert contents(collected) == {"a.css": b"first", "b.css": b"b"}
    assert collected.conflicts == ["a.css"]
    storage, path = collected.found()["a.css"]
    assert (storage.path(path), path) == (str(first / "a.css"), "a.css")


def test_an_empty_tree_and_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """Nothing to collect is no error."""
    assert gather([], str(tmp_path / "gone"), str(tmp_path)).files == []


def test_linked_folders_are_followed(tmp_path: Path) -> None:
    """As in Django, also out of the tree."""
    outside = write_tree(tmp_path / "outside", {"x.css": b"x"})
    folder = write_tree(tmp_path / "src", {"a.css": b"a"})
    (folder / "linked").symlink_to(outside)
    (folder / "one.css").symlink_to(outside / "x.css")
    assert contents(gather([], str(folder))) == {
        "a.css": b"a",
        "linked/x.css": b"x",
        "one.css": b"x",
    }


def test_a_dangling_link_is_named(tmp_path: Path) -> None:
    """Before anything is sent."""
    folder = write_tree(tmp_path / "src", {"a.css": b"a"})
    (folder / "broken.css").symlink_to(tmp_path / "gone")
    with pytest.raises(SourceError, match=r"broken\.css: No such file"):
        gather([], str(folder))


def test_a_loop_of_links_is_named(tmp_path: Path) -> None:
    """It ends, in one line."""
    folder = write_tree(tmp_path / "src", {"a.css": b"a"})
    (folder / "loop").symlink_to(folder)
    with pytest.raises(SourceError, match="loop"):
        gather([], str(folder))


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    """Opening a pipe would hang, and reading a device would never end."""
    folder = write_tree(tmp_path / "src", {"a.css": b"a"})
    if kind == "pipe":
        os.mkfifo(folder / "odd.css")
    else:
        (folder / "odd.css").symlink_to("/dev/zero")
    with pytest.raises(SourceError, match=r"odd\.css is no file"):
        gather([], str(folder))


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    """No storage but a disk can hold it."""
    folder = write_tree(tmp_path / "src", {"a.css": b"a"})
    (Path(os.fsdecode(os.fsencode(folder) + b"/\xff.css"))).write_bytes(b"x")
    with pytest.raises(SourceError, match="not valid UTF-8"):
        gather([], str(folder))


def test_two_hundred_folders_deep(tmp_path: Path) -> None:
    """As deep as anybody goes."""
    name = "/".join(["d"] * 200) + "/a.css"
    folder = write_tree(tmp_path / "src", {name: b"a"})
    assert contents(gather([], str(folder))) == {name: b"a"}


class Remote(Storage):
    """A finder's storage without local files."""


class CustomFinder(BaseFinder):
    """Gives the names in ``paths`` from ``folder``, or from a storage that has no paths."""

    folder = ""
    paths: list[str] = []
    remote = False

    def check(self, **kwargs: Any) -> list[Any]:
        return []

    def find(self, path: str, **kwargs: Any) -> list[str]:
        return []

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, Storage]]:
        for path in self.paths:
            yield path, Remote() if self.remote else FileSystemStorage(self.folder)


def custom(monkeypatch: pytest.MonkeyPatch, folder: Path, *paths: str, remote: bool = False) -> Any:
    for name, value in {"folder": str(folder), "paths": list(paths), "remote": remote}.items():
        monkeypatch.setattr(CustomFinder, name, value)
    return gather([], finders=[f"{__name__}.CustomFinder"])


def test_a_custom_finder_is_asked_through_its_own_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its own order; odd spellings of a name are straightened."""
    folder = write_tree(tmp_path / "src", {"a.css": b"a", "b/c.css": b"c"})
    collected = custom(monkeypatch, folder, "b//c.css", "./a.css")
    assert contents(collected) == {"b/c.css": b"c", "a.css": b"a"}


@pytest.mark.parametrize("path", ["../secret", "css/../../secret", "/etc/hosts"])
def test_a_finder_cannot_leave_the_location(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Neither upwards nor by an absolute name."""
    folder = write_tree(tmp_path / "src", {"a.css": b"a"})
    write_tree(tmp_path, {"secret": b"s"})
    with pytest.raises(SourceError, match="outside of the storage's location"):
        custom(monkeypatch, folder, path)


def test_a_finder_without_local_files_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django's own command fails there too, with a traceback."""
    with pytest.raises(SourceError, match=r"a\.css: its finder's storage has no local files"):
        custom(monkeypatch, tmp_path, "a.css", remote=True)
