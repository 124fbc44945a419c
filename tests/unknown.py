"""A storage that nobody has heard of: nothing but what every Django storage must have."""

from __future__ import annotations

import itertools
import posixpath
from dataclasses import dataclass, field
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import Storage

_WRITES = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Kept:
    """The bytes of one file, and the number of the write that put them there."""

    body: bytes
    write: int = field(default_factory=lambda: next(_WRITES))


KEPT: dict[tuple[str, str], Kept] = {}
"""What all of them keep, by the storage's name and the file's, location included."""


class UnknownStorage(Storage):
    """Keeps files in memory; tells neither times nor checksums; renames rather than overwrites."""

    def __init__(self, name: str, location: str = "") -> None:
        self.name = name
        self.location = location

    def _key(self, name: str) -> tuple[str, str]:
        return self.name, posixpath.join(self.location, name)

    def _open(self, name: str, mode: str = "rb") -> ContentFile:
        if not self.exists(name):
            raise FileNotFoundError(name)
        return ContentFile(KEPT[self._key(name)].body, name)

    def _save(self, name: str, content: Any) -> str:
        KEPT[self._key(name)] = Kept(b"".join(content.chunks()))
        return name

    def exists(self, name: str) -> bool:
        return self._key(name) in KEPT

    def size(self, name: str) -> int:
        return len(KEPT[self._key(name)].body)

    def delete(self, name: str) -> None:
        KEPT.pop(self._key(name), None)

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        start = posixpath.join(self.location, path, "") if self.location or path else ""
        inside = [
            key[len(start) :] for name, key in KEPT if name == self.name and key.startswith(start)
        ]
        folders = {key.partition("/")[0] for key in inside if "/" in key}
        return sorted(folders), [key for key in inside if "/" not in key]

    def url(self, name: str | None) -> str:
        return f"/static/{name}"
