"""Places without a server: a folder, and what an unknown storage keeps. See ``tests.places``."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from tests.support import static_storages
from tests.unknown import KEPT, Kept

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

DISK = "django.contrib.staticfiles.storage.StaticFilesStorage"
UNKNOWN = "tests.unknown.UnknownStorage"


def fresh() -> str:
    """A name for a bucket, a container or a folder that nothing else has."""
    return f"t{uuid.uuid4().hex[:20]}"


def files_in(folder: Path, value: Callable[[Path], T]) -> dict[str, T]:
    """Something of each file under ``folder``, by its name there."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): value(path) for path in paths}


@dataclass(slots=True)
class Folder:
    """A folder on a disk."""

    path: Path

    def another(self) -> Self:
        return type(self)(self.path.with_name(fresh()))

    def storages(self, location: str = "", backend: str = DISK, **more: Any) -> dict[str, Any]:
        return static_storages(backend, {"location": str(self.path / location), **more})

    def keys(self) -> list[str]:
        return sorted(self.objects())

    def read(self, key: str) -> bytes:
        return (self.path / key).read_bytes()

    def objects(self) -> dict[str, bytes]:
        return files_in(self.path, Path.read_bytes)

    def headers(self, key: str) -> dict[str, str]:
        return {}

    def tokens(self) -> dict[str, str]:
        return files_in(self.path, lambda path: f"{path.stat().st_ino} {path.stat().st_mtime_ns}")

    def put(self, key: str, body: bytes) -> None:
        (self.path / key).parent.mkdir(parents=True, exist_ok=True)
        (self.path / key).write_bytes(body)

    def delete(self, *keys: str) -> None:
        for key in keys:
            (self.path / key).unlink()


@dataclass(slots=True)
class UnknownPlace:
    """What an ``UnknownStorage`` of this name keeps."""

    name: str = field(default_factory=fresh)

    def another(self) -> Self:
        return type(self)()

    def storages(self, location: str = "", backend: str = UNKNOWN, **more: Any) -> dict[str, Any]:
        return static_storages(backend, {"name": self.name, "location": location, **more})

    def _kept(self) -> dict[str, Kept]:
        return {key: kept for (name, key), kept in list(KEPT.items()) if name == self.name}

    def keys(self) -> list[str]:
        return sorted(self._kept())

    def read(self, key: str) -> bytes:
        return KEPT[self.name, key].body

    def objects(self) -> dict[str, bytes]:
        return {key: kept.body for key, kept in self._kept().items()}

    def headers(self, key: str) -> dict[str, str]:
        return {}

    def tokens(self) -> dict[str, int]:
        return {key: kept.write for key, kept in self._kept().items()}

    def put(self, key: str, body: bytes) -> None:
        KEPT[self.name, key] = Kept(body)

    def delete(self, *keys: str) -> None:
        for key in keys:
            del KEPT[self.name, key]
