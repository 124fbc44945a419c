"""Names and local paths: what is there, and which names a destination cannot tell apart."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
import unicodedata
import uuid
from typing import TYPE_CHECKING

from collectfasta.exceptions import DestinationError
from collectfasta.items import RemoteObject

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PART_PREFIX = ".collectfasta-"
PART_SUFFIX = ".part"
DAY = 24 * 3600
LINK = "link"
"""The etag of what is no plain file: it is no copy, whatever it leads to."""

_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}


def etag_of(status: os.stat_result) -> str:
    """What changes when a file is written or replaced."""
    return f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}"


def look(name: str, path: str) -> RemoteObject | None:
    """What is at ``path``; nothing if it is absent, a folder, or can never be there.

    Raises ``DestinationError`` if that cannot be told.
    """
    try:
        status = os.lstat(path)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise DestinationError(f"Cannot look at {path}: {error.strerror}.", name=name) from error
    except ValueError:  # no file can have such a name
        return None
    if stat.S_ISREG(status.st_mode):
        return RemoteObject(name, status.st_size, etag_of(status))
    return None if stat.S_ISDIR(status.st_mode) else RemoteObject(name, -1, LINK)


def walk(folder: str, prefix: str = "") -> Iterator[str]:
    """The names of all files under ``folder``. Links to folders are left alone with all in them;
    so are the unfinished files of other runs, unless they are a day old."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise DestinationError(f"Cannot read the folder {folder}: {error.strerror}.") from error
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from walk(entry.path, f"{prefix}{entry.name}/")
        elif not entry.is_dir() and not (is_part(entry.name) and not is_old(entry.path)):
            yield prefix + entry.name


def is_part(name: str) -> bool:
    """Whether a file of this name is one that we have not finished."""
    return name.startswith(PART_PREFIX) and name.endswith(PART_SUFFIX)


def is_old(path: str) -> bool:
    """Whether a run that is still alive cannot be writing it: it is older than a day."""
    try:
        return time.time() - os.lstat(path).st_mtime > DAY
    except OSError:
        return False


def sweep(folder: str) -> None:
    """Remove what killed runs have left in ``folder``."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if is_part(entry.name) and is_old(entry.path):
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)


def alike(names: Sequence[str]) -> dict[str, str]:
    """Names that differ from an earlier one by case or Unicode form only → that earlier one."""
    if len({name.lower() for name in names}) == len(names) and all(map(str.isascii, names)):
        return {}
    first: dict[str, str] = {}
    return {
        name: kept
        for name in sorted(names)
        if (kept := first.setdefault(_folded(name), name)) != name
    }


def collisions(names: Sequence[str], folder: str) -> dict[str, str]:
    """Those of :func:`alike` that are one file in ``folder``: on macOS, say.

    ``folder`` need not exist. To find out, an empty file is written and removed, if and only if
    there are such names.
    """
    candidates = alike(names)
    if not candidates:
        return {}
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    blind_to_case = _same_file(folder, "a", "A")
    blind_to_form = _same_file(folder, "\u00e9", "e\u0301")
    return {
        name: kept
        for name, kept in candidates.items()
        if _seen(name, case=blind_to_case, form=blind_to_form)
        == _seen(kept, case=blind_to_case, form=blind_to_form)
    }


def _folded(name: str) -> str:
    return _seen(name, case=True, form=True)


def _seen(name: str, *, case: bool, form: bool) -> str:
    """``name`` as a file system sees it that is blind to case, or to the Unicode form."""
    if form:
        name = unicodedata.normalize("NFC", name)
    if case:
        name = name.casefold()
    return unicodedata.normalize("NFC", name) if form else name


def _same_file(folder: str, one: str, other: str) -> bool:
    """Whether two names that differ in one letter are one file. ``False`` if it cannot be tried."""
    stem = f"{PART_PREFIX}{uuid.uuid4().hex}-"
    path = os.path.join(folder, f"{stem}{one}{PART_SUFFIX}")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError:
        return False
    try:
        return os.path.lexists(os.path.join(folder, f"{stem}{other}{PART_SUFFIX}"))
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
