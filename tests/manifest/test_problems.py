"""What is wrong with a tree is told all at once, by file and line; nothing is published."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage

from collectfasta.exceptions import DestinationError, PostProcessError, SourceError
from tests.manifest import kit

if TYPE_CHECKING:
    from pathlib import Path


class Modules(ManifestStaticFilesStorage):
    support_js_module_import_aggregation = True


class Intermediate(ManifestStaticFilesStorage):
    keep_intermediate_files = True


TREE = {
    "a.css": "ok{}\nx{background:url(no.png)}\n@import 'b.css';\ny{background: url('no/2.png')}",
    "b.css": "x{background:url(i.png)}\nx{background:url(../../up.png?x)}",
    "c.js": 'import {x} from "./no.js";\n//# sourceMappingURL=c.js.map\n',
    "i.png": "image",
}


def lines(error: pytest.ExceptionInfo[PostProcessError]) -> list[str]:
    return str(error.value).splitlines()


def test_every_missing_reference_is_a_line(tmp_path: Path) -> None:
    """File, line in the file as it was collected, and the reference as it is written there."""
    found = kit.write_tree(tmp_path / "s", TREE)
    with pytest.raises(PostProcessError) as caught:
        kit.ours(kit.disk(Modules, tmp_path / "root"), found)
    assert lines(caught) == [
        "Post-processing found 5 problems; nothing is published.",
        "a.css:2: reference 'no.png' not found",
        "a.css:4: reference 'no/2.png' not found",
        "b.css:2: reference '../../up.png?x' leads out of the static files",
        "c.js:1: reference './no.js' not found",
        "c.js:2: reference 'c.js.map' not found",
    ]
    assert caught.value.name == "a.css"
    assert list((tmp_path / "root").iterdir()) == []


@pytest.mark.parametrize("name", ["a.css", "b.css"])
def test_djangos_own_passes_name_file_and_line_too(tmp_path: Path, name: str) -> None:
    """Where intermediate files are wanted: the first problem that Django meets."""
    found = kit.write_tree(tmp_path / "s", {name: TREE[name], "i.png": "i"})
    with pytest.raises(PostProcessError, match=rf"1 problem; nothing.*\n{name}:2: reference '"):
        kit.ours(kit.disk(Intermediate, tmp_path / "root"), found)


def test_a_line_is_right_though_an_earlier_pattern_has_moved_the_text(tmp_path: Path) -> None:
    """Lines are those of the file that the user has, also where the same text stands twice."""

    class Growing(ManifestStaticFilesStorage):
        patterns = (
            ("*.css", ((r"(?P<matched>url\((?P<url>i.*?)\))", "\n\nurl(%(url)s)"),)),
            ("*.css", ((r"(?P<matched>url\((?P<url>n.*?)\))", "url(%(url)s)"),)),
        )

    tree = {"a.css": "url(i.png)\nurl(no.png)", "b.css": "url(no.png)\nurl(no.png)", "i.png": ""}
    found = kit.write_tree(tmp_path / "s", tree)
    with pytest.raises(PostProcessError) as caught:
        kit.ours(kit.disk(Growing, tmp_path / "root"), found)
    assert [line.partition(": ")[0] for line in lines(caught)[1:]] == [
        "a.css:2", "b.css:1", "b.css:2",
    ]  # fmt: skip


def test_a_class_may_say_more_of_a_reference(tmp_path: Path) -> None:
    """Its own words, on one line."""

    class Wordy(ManifestStaticFilesStorage):
        def hashed_name(self, name: str, *args: Any, **kwargs: Any) -> str:
            if name == "no.png":
                raise ValueError("is not\nallowed")
            return super().hashed_name(name, *args, **kwargs)

    found = kit.write_tree(tmp_path / "s", {"a.css": "url(no.png)"})
    with pytest.raises(PostProcessError, match=r"a.css:1: reference 'no.png' is not allowed$"):
        kit.ours(kit.disk(Wordy, tmp_path / "root"), found)


@pytest.mark.parametrize("cls", [Modules, Intermediate])
@pytest.mark.parametrize("name", ["a.css", "deep/a.js"])
def test_a_file_that_is_not_utf8_is_named(tmp_path: Path, cls: Any, name: str) -> None:
    """As in Django, whether it holds references or not; the image beside it may hold anything."""
    found = kit.write_tree(tmp_path / "s", {name: b"abc \xff", "i.png": b"\xff"})
    with pytest.raises(PostProcessError, match=f"\n{name}: .*0xff"):
        kit.ours(kit.disk(cls, tmp_path / "root"), found)


def test_a_class_that_swallows_errors_gets_what_django_makes(tmp_path: Path) -> None:
    """The exceptions that it sees are Django's own."""
    seen: list[str] = []

    class Swallowing(ManifestStaticFilesStorage):
        def post_process(self, *args: Any, **kwargs: Any) -> Any:
            for name, hashed_name, processed in super().post_process(*args, **kwargs):
                if isinstance(processed, ValueError):
                    seen.append(str(processed).partition(" with")[0])
                else:
                    yield name, hashed_name, processed

    tree = {"a.css": "url(no.png) url(i.png)", "i.png": "i"}
    found = kit.write_tree(tmp_path / "s", tree)
    expected = kit.stock(kit.disk(Swallowing, tmp_path / "stock"), found)
    run = kit.ours(kit.disk(Swallowing, tmp_path / "ours"), found)
    kit.assert_same(run.published, expected)
    assert set(seen) == {"The file 'no.png' could not be found"}


@pytest.mark.parametrize("name", ["a.css", "i.png"])
def test_a_file_that_vanishes_is_an_error_that_names_it(tmp_path: Path, name: str) -> None:
    """Between collecting and reading."""
    found = kit.write_tree(tmp_path / "s", {"a.css": "url(i.png)", "i.png": "i"})
    os.unlink(found[name].path)
    with pytest.raises(SourceError, match=rf"Cannot read .*{name}: No such file") as caught:
        kit.ours(kit.disk(ManifestStaticFilesStorage, tmp_path / "root"), found)
    assert caught.value.name == name


@pytest.mark.parametrize("name", ["a.css", "i.png"])
def test_a_file_that_vanishes_while_it_is_processed_is_named_too(tmp_path: Path, name: str) -> None:
    """The scan has read it; a hash of one's own reads it again."""

    class Vanishing(ManifestStaticFilesStorage):
        def hashed_name(self, *args: Any, **kwargs: Any) -> str:
            if os.path.exists(found[name].path):
                os.unlink(found[name].path)
            return super().hashed_name(*args, **kwargs)

        def file_hash(self, name: str, content: Any = None) -> Any:
            return super().file_hash(name, content)

    tree = {"deep/z.png": "z", "a.css": "url(deep/z.png)", "i.png": "i"}
    found = kit.write_tree(tmp_path / "s", tree)
    with pytest.raises(SourceError, match=rf"Cannot read .*{name}: No such file"):
        kit.ours(kit.disk(Vanishing, tmp_path / "root"), found)


def test_a_file_that_is_edited_into_nonsense_meanwhile_is_named(tmp_path: Path) -> None:
    """The scan found UTF-8; what is read to be rewritten is not."""

    class Editing(ManifestStaticFilesStorage):
        def hashed_name(self, *args: Any, **kwargs: Any) -> str:
            with open(found["a.css"].path, "wb") as file:
                file.write(b"\xff")
            return super().hashed_name(*args, **kwargs)

    found = kit.write_tree(tmp_path / "s", {"deep/z.png": "z", "a.css": "url(deep/z.png)"})
    with pytest.raises(PostProcessError, match=r"a\.css: not UTF-8"):
        kit.ours(kit.disk(Editing, tmp_path / "root"), found)


def test_a_destination_that_cannot_be_asked_is_an_error_that_names_the_file(
    tmp_path: Path,
) -> None:
    """Without the library's own words, which may hold a signed address."""

    class Refusing(kit.RemoteManifest):
        def exists(self, name: str) -> bool:
            raise PermissionError("https://host/?signature=secret")

    storage = Refusing()
    found = kit.write_tree(tmp_path / "s", {"a.css": "url(old.png)"})
    with pytest.raises(DestinationError) as caught:
        kit.ours(storage, found)
    assert str(caught.value) == "old.png cannot be looked up on the destination (PermissionError)."
