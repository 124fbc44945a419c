"""What the tests of the strategies share: sources, and storages that nobody knows."""

from __future__ import annotations

import datetime as dt
import os
import threading
from typing import TYPE_CHECKING, Any

from django.core.files.base import ContentFile
from django.core.files.storage import Storage

from collectfasta.items import Digest, SourceFile
from collectfasta.pipeline.hash import hash_batch

if TYPE_CHECKING:
    from pathlib import Path

LARGE = (1 << 20) + 12_345
"""Bytes: more than is read into memory at once."""


def source(folder: Path, name: str, data: bytes) -> SourceFile:
    """A file to publish, written under ``folder``."""
    path = folder / "source" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return SourceFile(str(path), name, len(data))


def digest(file: SourceFile, beside: str | None = None) -> Digest:
    """What the hash stage finds."""
    (answer,) = hash_batch([(file.path, beside)], md5=True)
    if isinstance(answer, str):
        raise OSError(answer)
    return Digest(*answer)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file under ``folder``, hidden ones too, and what is in it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class PlainStorage(Storage):
    """A storage with the few methods that one must have. Like Django's, it never overwrites."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.log: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def _note(self, what: str, name: str) -> None:
        with self._lock:
            self.log.append((what, name))

    def exists(self, name: str) -> bool:
        self._note("exists", name)
        return name in self.files

    def _save(self, name: str, content: Any) -> str:
        self._note("save", name)
        self.files[name] = b"".join(content.chunks())
        return name

    def _open(self, name: str, mode: str = "rb") -> ContentFile:
        self._note("open", name)
        return ContentFile(self.files[name], name)

    def delete(self, name: str) -> None:
        self._note("delete", name)
        del self.files[name]

    def calls(self, what: str) -> list[str]:
        """The names this method was called with."""
        return [name for called, name in self.log if called == what]


class TimedStorage(PlainStorage):
    """It also knows sizes, and when a file was written, to the microsecond."""

    def __init__(self) -> None:
        super().__init__()
        self.times: dict[str, dt.datetime] = {}
        self._clock = dt.datetime(2024, 5, 1, 12, 0, 0, 1, tzinfo=dt.UTC)

    def _save(self, name: str, content: Any) -> str:
        saved = super()._save(name, content)
        self._clock += dt.timedelta(seconds=1)
        self.times[name] = self._clock
        return saved

    def size(self, name: str) -> int:
        return len(self.files[name])

    def get_modified_time(self, name: str) -> dt.datetime:
        return self.times[name]

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        prefix = f"{path}/" if path else ""
        below = [name.removeprefix(prefix) for name in self.files if name.startswith(prefix)]
        folders = sorted({name.partition("/")[0] for name in below if "/" in name})
        return folders, sorted(name for name in below if "/" not in name)


def mode_of(path: Path) -> int:
    """Permission bits."""
    return os.stat(path).st_mode & 0o7777
