"""Hostile names and trees, through the command: refused in one line, or published as they are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from collectfasta.strategies.disk import paths
from tests import support
from tests.faults.conftest import FILES, on_disk, tree_at

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.conftest import Site

NOWHERE = "tests.faults.finders.Chosen"


@pytest.mark.parametrize(
    "name",
    ["../out.css", "/etc/out.css", "a/../../out.css", "..", "a/..", "//out.css", "a/../../../x"],
)
@pytest.mark.parametrize("disk", [True, False])
def test_a_finder_that_names_a_file_outside_is_refused(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, disk: bool
) -> None:
    """Before anything is written, in or out."""
    from tests.faults import finders

    victim = tmp_path / "out.css"
    victim.write_bytes(b"precious")
    monkeypatch.setattr(finders, "chosen", {name: str(site.source / "a.css")})
    settings: dict[str, Any] = on_disk(site.source, tmp_path / "root") if disk else site.settings
    result = support.collect(settings={**settings, "STATICFILES_FINDERS": [NOWHERE]})
    assert result.status == 1
    assert result.stderr.count("\n") == 1
    assert repr(name) in result.stderr
    assert victim.read_bytes() == b"precious"
    assert site.published() == {}
    assert not (tmp_path / "root").exists() or tree_at(tmp_path / "root") == {}


@pytest.mark.parametrize("disk", [True, False])
def test_links_are_followed_also_out_of_the_tree(site: Site, tmp_path: Path, disk: bool) -> None:
    """As in Django: what they lead to is published as a file of its own."""
    outside = support.write_tree(tmp_path / "outside", {"x/y.css": b"outside"})
    (site.source / "linked").symlink_to(outside / "x")
    (site.source / "one.css").symlink_to(outside / "x/y.css")
    root = tmp_path / "root"
    settings: dict[str, Any] = on_disk(site.source, root) if disk else site.settings
    assert support.collect(settings=settings).status == 0
    expected = FILES | {"linked/y.css": b"outside", "one.css": b"outside"}
    assert (tree_at(root) if disk else site.published()) == expected
    assert not any(path.is_symlink() for path in root.rglob("*"))


def test_a_link_at_the_destination_is_replaced_and_never_written_through(
    site: Site, tmp_path: Path
) -> None:
    """Somebody has pointed a published name at a file of the system's."""
    root = support.write_tree(tmp_path / "root", {})
    victim = tmp_path / "precious"
    victim.write_bytes(b"precious")
    (root / "a.css").symlink_to(victim)
    assert support.collect(settings=on_disk(site.source, root)).status == 0
    assert victim.read_bytes() == b"precious"
    assert tree_at(root) == FILES
    assert not (root / "a.css").is_symlink()


def test_a_name_that_is_not_utf8_is_one_line(site: Site) -> None:
    """No storage but a disk could hold it."""
    with open(os.fsencode(site.source) + b"/caf\xe9.css", "wb"):
        pass
    result = site.collect()
    assert result.status == 1
    assert "not valid UTF-8" in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stderr.encode()


def test_names_that_differ_by_case_only_on_a_disk_that_is_blind_to_it(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them would silently replace the other: it is named, and the others are published."""
    monkeypatch.setattr(paths, "_same_file", lambda folder, one, other: True)
    support.write_tree(site.source, {"A.css": b"another"})
    root = tmp_path / "root"
    result = support.collect(settings=on_disk(site.source, root))
    assert result.status == 1
    assert "a.css: A.css is the same file" in result.stderr
    assert tree_at(root)["A.css"] == b"another"
    assert "a.css" not in tree_at(root)
    assert {n: d for n, d in tree_at(root).items() if n.lower() != "a.css"} == {
        n: d for n, d in FILES.items() if n != "a.css"
    }


@pytest.mark.parametrize("disk", [True, False])
def test_folders_two_hundred_deep(site: Site, tmp_path: Path, disk: bool) -> None:
    """As deep as anybody goes, and back again."""
    name = "/".join(["d"] * 200) + "/deep.css"
    support.write_tree(site.source, {name: b"deep"})
    root = tmp_path / "root"
    settings: dict[str, Any] = on_disk(site.source, root) if disk else site.settings
    for copied in (7, 0):
        result = support.collect(settings=settings)
        assert f"{copied} static file" in result.stdout
    assert (tree_at(root) if disk else site.published()) == FILES | {name: b"deep"}
    os.unlink(site.source / name)
    assert support.collect("--clear", settings=settings).status == 0
    assert (tree_at(root) if disk else site.published()) == FILES


@pytest.mark.parametrize(("size", "status"), [(1024, 0), (1025, 1)])
def test_a_key_as_long_as_s3_allows_and_one_byte_more(site: Site, size: int, status: int) -> None:
    """The longer one is named; the others are published all the same."""
    room = size - len("static/")
    folders = "/".join(["é" * 100] * 4) + "/"
    name = folders + "x" * (room - len(folders.encode()))
    support.write_tree(site.source, {name: b"long"})
    result = site.collect()
    assert result.status == status
    assert site.published() == FILES | ({name: b"long"} if status == 0 else {})
    if status:
        assert "too long" in result.stderr


def test_ten_thousand_files_in_one_folder(site: Site, tmp_path: Path) -> None:
    """Nothing is quadratic: on a disk, the second run and the clearing included."""
    folder = site.source / "many"
    folder.mkdir()
    for number in range(10_000):
        os.close(os.open(folder / f"{number}.txt", os.O_CREAT | os.O_WRONLY))
    root = tmp_path / "root"
    for copied in ("10006 static files copied", "0 static files copied"):
        assert copied in support.collect("--clear", settings=on_disk(site.source, root)).stdout
    assert len(os.listdir(root / "many")) == 10_000


@pytest.mark.parametrize("disk", [True, False])
def test_names_that_mean_something_to_a_shell_a_url_or_a_terminal(
    site: Site, tmp_path: Path, disk: bool
) -> None:
    """Published under just that name, and found again. (S3Storage makes ``/`` of a backslash.)"""
    names = [
        "a b.css", "a#b?c%20d+e.js", "é/中.txt", "-rf.txt", "$(id).txt", "`id`.txt", "a\\b.txt",
        "a'b\"c.txt", "<b>.txt", "{x}[y]*.txt", "a:b.txt", "a;b&c=d.txt", "con.txt", "a\u202eb.txt",
    ]  # fmt: skip
    odd = {name: name.encode() for name in names}
    support.write_tree(site.source, odd)
    root = tmp_path / "root"
    settings: dict[str, Any] = on_disk(site.source, root) if disk else site.settings
    assert support.collect(settings=settings).status == 0
    keys = odd if disk else {name.replace("\\", "/"): body for name, body in odd.items()}
    assert (tree_at(root) if disk else site.published()) == FILES | keys
    assert "0 static files copied" in support.collect(settings=settings).stdout
