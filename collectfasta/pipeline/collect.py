"""First stage: ask the finders what there is. First one wins, as in Django."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.contrib.staticfiles.finders import AppDirectoriesFinder, FileSystemFinder, get_finders
from django.core.files.storage import FileSystemStorage

from collectfasta.exceptions import SourceError
from collectfasta.items import SourceFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from django.core.files.storage import Storage


@dataclass(slots=True)
class Collected:
    """What the finders have: file, finder's storage and path in it, each at the same index."""

    files: list[SourceFile] = field(default_factory=list)
    storages: list[Storage] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)

    def found(self) -> dict[str, tuple[Storage, str]]:
        """Django's ``found_files``: name → (storage, path). Made only for those who ask for it,
        since it takes 130 bytes a file."""
        names = (file.name for file in self.files)
        return dict(zip(names, zip(self.storages, self.paths, strict=True), strict=True))


def collect(ignore_patterns: Sequence[str], conflict: Callable[[str], None]) -> Collected:
    """Every file of every finder, by its name on the storage.

    ``conflict`` is called with a name for each further file that has it. Raises ``SourceError``
    for a file that cannot be read and for a name that would leave the storage's location.
    """
    collected = Collected()
    seen: set[str] = set()
    for finder in get_finders():
        for storage, path, name, entry in _files(finder, list(ignore_patterns)):
            if name in seen:
                collected.conflicts.append(name)
                conflict(name)
                continue
            seen.add(name)
            collected.files.append(_source(storage, path, name, entry))
            collected.storages.append(storage)
            collected.paths.append(path)
    return collected


def _files(
    finder: Any, ignore_patterns: list[str]
) -> Iterator[tuple[Any, str, str, os.DirEntry[str] | None]]:
    if _is_standard(finder):
        ignored = _matcher(ignore_patterns)
        for storage in _storages(finder):
            if os.path.isdir(storage.location):
                for path, entry in _walk(storage.location, "", ignored):
                    yield storage, path, _name(storage, path), entry
        return
    for path, storage in finder.list(ignore_patterns):
        yield storage, path, _name(storage, path), None


def _is_standard(finder: Any) -> bool:
    """Whether the finder lists plain folders just as Django's own do, so that one walk serves."""
    standard = (FileSystemFinder.list, AppDirectoriesFinder.list)
    return type(finder).list in standard and all(
        type(storage).listdir is FileSystemStorage.listdir
        and type(storage).path is FileSystemStorage.path
        for storage in finder.storages.values()
    )


def _storages(finder: Any) -> list[Any]:
    """In the finder's own order; one that is named twice comes twice."""
    if isinstance(finder, FileSystemFinder):
        return [finder.storages[root] for _prefix, root in finder.locations]
    return list(finder.storages.values())


def _matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """``fnmatch`` with all patterns compiled into one expression, case-sensitive as in Django."""
    if not patterns:
        return lambda _path: False
    union = re.compile("|".join(fnmatch.translate(pattern) for pattern in patterns))
    return lambda path: union.match(path) is not None


def _walk(
    folder: str, location: str, ignored: Callable[[str], bool]
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    folders = []
    entries = _entries(folder)
    entries.reverse()
    while entries:  # an entry keeps what it knows of its file, 400 bytes: none is held for long
        entry, is_folder = entries.pop()
        path = f"{location}/{entry.name}" if location else entry.name
        if ignored(entry.name):
            continue
        if is_folder:
            folders.append((entry.path, path))
        elif not (location and ignored(path)):  # as in Django: of folders, only the name counts
            yield path, entry
    for path, name in folders:
        yield from _walk(path, name, ignored)


def _entries(folder: str) -> list[tuple[os.DirEntry[str], bool]]:
    """What is in a folder, and whether it is a folder itself. Links are followed."""
    try:
        with os.scandir(folder) as entries:
            return [(entry, entry.is_dir()) for entry in entries]
    except OSError as error:
        raise SourceError(f"Cannot read the folder {folder}: {error.strerror}.") from error


def _name(storage: Any, path: str) -> str:
    prefix = getattr(storage, "prefix", None)
    name = os.path.join(prefix, path) if prefix else path
    name = name.replace("\\", "/") if os.sep == "\\" else name
    parts = name.split("/")
    if name.startswith("/") or ".." in parts:
        raise SourceError(f"A finder names {name!r}, which is outside of the storage's location.")
    if "" in parts or "." in parts:
        name = os.path.normpath(name)
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise SourceError(
            f"The name of {path!r} is not valid UTF-8. Rename the file, or use --ignore."
        ) from error
    return name


def _source(storage: Any, path: str, name: str, entry: os.DirEntry[str] | None) -> SourceFile:
    try:
        local = entry.path if entry is not None else storage.path(path)
        status = entry.stat() if entry is not None else os.stat(local)
    except NotImplementedError as error:
        raise SourceError(f"{name}: its finder's storage has no local files.", name=name) from error
    except OSError as error:
        raise SourceError(f"Cannot read {error.filename}: {error.strerror}.", name=name) from error
    if not stat.S_ISREG(status.st_mode):  # reading a pipe may never end, nor a device
        raise SourceError(f"{local} is no file. Remove it, or use --ignore.", name=name)
    return SourceFile(local, name, status.st_size, modified=status.st_mtime_ns)
