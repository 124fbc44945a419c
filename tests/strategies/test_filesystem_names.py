"""Names that a destination blind to case, or to the Unicode form, takes for one another."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.core.files.storage import FileSystemStorage

from collectfasta.strategies.disk import paths
from collectfasta.strategies.filesystem import FileSystemStrategy
from tests.strategies.kit import tree

if TYPE_CHECKING:
    from collections.abc import Callable

NFC, NFD = "caf\u00e9.css", "cafe\u0301.css"


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the file system look up names as macOS does."""
    real = os.path.lexists

    def switch(*, case: bool = False, form: bool = False) -> None:
        def exists(path: str) -> bool:
            folder, _, wanted = path.rpartition("/")
            seen = [name.name for name in Path(folder).iterdir()]
            return real(path) or any(same(name, wanted) for name in seen)

        def same(one: str, other: str) -> bool:
            if case:
                one, other = one.casefold(), other.casefold()
            if form:
                one, other = (unicodedata.normalize("NFD", name) for name in (one, other))
            return one == other

        monkeypatch.setattr(os.path, "lexists", exists)

    return switch


def test_on_a_destination_that_tells_them_apart_nothing_is_refused(tmp_path: Path) -> None:
    """This machine's, that is; and nothing is left of finding out."""
    strategy = FileSystemStrategy(FileSystemStorage(location=tmp_path))
    (tmp_path / "probe").write_bytes(b"")
    if (tmp_path / "PROBE").exists():
        pytest.skip("the file system is blind to case")
    assert strategy.refused(["A.css", "a.css"]) == {}
    assert tree(tmp_path) == {"probe": b""}


def test_the_second_of_two_names_is_refused(tmp_path: Path, blind: Callable[..., None]) -> None:
    """In one line that names both. The folder need not be there yet."""
    strategy = FileSystemStrategy(FileSystemStorage(location=tmp_path / "not" / "yet"))
    blind(case=True)
    assert strategy.refused(["css/B.css", "css/a.css", "css/b.css"]) == {
        "css/b.css": (
            "css/b.css: css/B.css is the same file at the destination, which is blind to the "
            "difference. Rename one of them."
        )
    }
    assert tree(tmp_path) == {}


def test_names_that_differ_by_form_only(tmp_path: Path, blind: Callable[..., None]) -> None:
    """They look the same, and are one file on macOS."""
    names = [NFD, NFC, "A.css", "a.css"]
    blind(form=True)
    assert paths.collisions(names, str(tmp_path)) == {NFC: NFD}
    blind(form=True, case=True)
    assert paths.collisions(names, str(tmp_path)) == {NFC: NFD, "a.css": "A.css"}
    assert paths.collisions([NFC.upper(), NFD], str(tmp_path)) == {NFD: NFC.upper()} or (
        paths.collisions([NFC.upper(), NFD], str(tmp_path)) == {NFC.upper(): NFD}
    )


def test_without_such_names_nothing_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even an empty file is written."""
    monkeypatch.setattr(paths, "_same_file", lambda *_: pytest.fail("tried"))
    for names in ([], ["a.css", "b.css"], ["a/a.css", "b/a.css"], [NFC, "b.css"]):
        assert paths.collisions(names, str(tmp_path)) == {}


def test_where_nothing_can_be_written_all_names_count_as_different() -> None:
    """The copy will fail there anyway."""
    assert paths.collisions(["A", "a"], "/proc") == {}
