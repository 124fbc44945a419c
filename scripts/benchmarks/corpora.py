"""The trees that are collected: unmodified npm packages, and any number of files made from them.

``small``, ``medium`` and ``large`` hold npm packages of pinned versions (Django's admin files come
on top, through its app). A number, such as ``10000``, is a tree of that many files out of the large
one, repeated under numbered folders. They lie in ``.cache/corpora`` and are made once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALL = (
    "jquery@4.0.0",
    "jquery-ui@1.14.2",
    "bootstrap@5.3.9",
    "leaflet@1.9.4",
    "katex@0.19.1",
)
MEDIUM = (
    *SMALL,
    "monaco-editor@0.47.0",  # later ones name source maps that they lack: Django's manifests refuse
    "tinymce@8.9.2",
    "mathjax@4.1.3",
    "swagger-ui-dist@5.35.0",
    "flag-icons@7.5.0",
    "ace-builds@1.45.2",
    "codemirror@6.0.2",
    "bootstrap-icons@1.13.2",
)
LARGE = (
    *MEDIUM,
    "@mui/icons-material@9.5.0",
    "@fortawesome/fontawesome-free@7.3.1",
    "highlight.js@11.12.0",
    "three@0.187.0",
    "ol@10.11.0",
    "chart.js@4.6.1",
    "lodash@4.18.1",
)
PACKAGES = {"small": SMALL, "medium": MEDIUM, "large": LARGE}
_READY = ".ready"


class BenchError(Exception):
    """Something that the bench needs is missing; the message is one line for the user."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """A tree on disk. ``size`` is in bytes."""

    name: str
    folder: Path
    files: int
    size: int


def is_collected(name: str) -> bool:
    """Whether Django collects a file or folder of that name: none that its patterns ignore."""
    return not (name == "CVS" or name.startswith(".") or name.endswith("~"))


def walk(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Every file below ``folder``, in an order of its own."""
    pending = [os.fspath(folder)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                else:
                    yield entry


def measure(name: str, folder: Path) -> Corpus:
    """Count a tree's files and bytes, without marks of our own."""
    sizes = [entry.stat().st_size for entry in walk(folder) if entry.name != _READY]
    return Corpus(name, folder, len(sizes), sum(sizes))


def build(name: str, cache: Path) -> Corpus:
    """The corpus of that name, made if need be. Raises ``BenchError``."""
    folder = cache / name
    if not (folder / _READY).exists():
        if name not in PACKAGES and not name.isdecimal():
            known = ", ".join(PACKAGES)
            raise BenchError(f"There is no corpus {name!r}: {known}, or a number of files.")
        cache.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=f"making-{name}-", dir=cache))
        try:
            if name in PACKAGES:
                for package in PACKAGES[name]:
                    unpack(fetch(package, cache / "tarballs"), making / package.rpartition("@")[0])
            else:
                repeat(build("large", cache).folder, making, int(name))
            (making / _READY).touch()
            shutil.rmtree(folder, ignore_errors=True)
            making.rename(folder)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return measure(name, folder)


def fetch(package: str, tarballs: Path) -> Path:
    """The package's tarball, from npm unless it is there already. Raises ``BenchError``."""
    name, _, version = package.rpartition("@")
    tarball = tarballs / f"{name.lstrip('@').replace('/', '-')}-{version}.tgz"
    if tarball.exists():
        return tarball
    npm = shutil.which("npm")
    if npm is None:
        raise BenchError("npm is missing: it fetches the corpora (apt-get install npm).")
    tarballs.mkdir(parents=True, exist_ok=True)
    command = [npm, "pack", "--silent", "--pack-destination", os.fspath(tarballs), package]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tarballs, check=False)
    if done.returncode or not tarball.exists():
        said = done.stderr.strip().splitlines()
        raise BenchError(
            f"npm could not fetch {package}: {said[-1] if said else 'no reason given'}"
        )
    return tarball


def unpack(tarball: Path, folder: Path) -> None:
    """Put the files of an npm tarball that Django would collect into ``folder``."""
    with tarfile.open(tarball) as archive:
        for member in archive:
            parts = member.name.split("/")[1:]
            if not member.isfile() or not parts or not all(map(is_collected, parts)):
                continue
            source = archive.extractfile(member)
            target = folder.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source is not None:
                with source, target.open("wb") as out:
                    shutil.copyfileobj(source, out)


def repeat(source: Path, folder: Path, count: int) -> None:
    """Fill ``folder`` with ``count`` hard links to files of ``source``, a fair sample of them."""
    names = sorted(
        os.path.relpath(entry.path, source) for entry in walk(source) if entry.name != _READY
    )
    if not names:
        raise BenchError(f"There is no file in {source}.")
    for copy, start in enumerate(range(0, count, len(names))):
        wanted = min(count - start, len(names))
        for number in range(wanted):
            # Evenly spread, so that files are as large in every tree.
            name = names[number * len(names) // wanted]
            target = folder / f"copy{copy:03d}" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(source / name, target)


def link_tree(source: Path, folder: Path) -> None:
    """Hard links to all that Django would collect from ``source``; copies across file systems."""
    for entry in walk(source):
        name = os.path.relpath(entry.path, source)
        if not all(map(is_collected, name.split(os.sep))):
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(entry.path, target)
        except OSError:
            shutil.copy2(entry.path, target)
