"""Trees, storages and runs for the tests of post-processing."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.contrib.staticfiles.storage import ManifestFilesMixin, ManifestStaticFilesStorage
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, Storage

from collectfasta.items import SourceFile
from collectfasta.manifest.process import PostProcessOptions, Processed, post_process

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MANIFEST = "staticfiles.json"


class Remote(Storage):
    """A storage without paths, that notes each request."""

    def __init__(self, **objects: bytes) -> None:
        self.objects: dict[str, bytes] = dict(objects)
        self.requests: list[tuple[str, str]] = []

    def _open(self, name: str, mode: str = "rb") -> File:
        self.requests.append(("GET", name))
        if name not in self.objects:
            raise FileNotFoundError(name)
        return File(io.BytesIO(self.objects[name]), name)

    def _save(self, name: str, content: Any) -> str:
        self.requests.append(("PUT", name))
        content.seek(0)
        self.objects[name] = content.read()
        return name

    def exists(self, name: str) -> bool:
        self.requests.append(("HEAD", name))
        return name in self.objects

    def delete(self, name: str) -> None:
        self.requests.append(("DELETE", name))
        self.objects.pop(name, None)

    def url(self, name: str | None) -> str:
        return f"https://cdn.example/assets/{name}"


class RemoteManifest(ManifestFilesMixin, Remote):
    """The same with hashed names and a manifest."""


@dataclass
class Run:
    """What one post-processing did."""

    processed: Processed
    published: dict[str, bytes]
    warnings: list[str] = field(default_factory=list)

    @property
    def manifest(self) -> Any:
        return json.loads(self.published[MANIFEST])


def write_tree(folder: Path, files: Mapping[str, bytes | str]) -> dict[str, SourceFile]:
    """Write ``files``; give them as they would be collected."""
    found = {}
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        found[name] = SourceFile(str(path), name, path.stat().st_size)
    return found


def walk(folder: Path) -> dict[str, SourceFile]:
    """Every file beneath ``folder``, as it would be collected."""
    return {
        (name := path.relative_to(folder).as_posix()): SourceFile(
            str(path), name, path.stat().st_size
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def bytes_of(file: SourceFile) -> bytes:
    return file.data if file.data is not None else Path(file.path).read_bytes()


def ours(storage: Any, found: Mapping[str, SourceFile], **options: Any) -> Run:
    """Post-process with our code, publish into a dictionary, as the command would."""
    warnings: list[str] = []
    processed = post_process(storage, found, PostProcessOptions(warnings.append, **options))
    with contextlib.closing(processed):
        published = {}
        manifest = [file for _, file in processed.manifest]
        for file in [*processed.hashed, *processed.plain, *manifest]:
            assert file.name not in published, "each name is published once"
            assert len(bytes_of(file)) == file.size
            published[file.name] = bytes_of(file)
        return Run(processed, published, warnings)


def disk(cls: type[ManifestStaticFilesStorage], folder: Path, **options: Any) -> Any:
    """A storage on an empty disk."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return cls(location=str(folder), base_url="/static/", **options)


def stock(storage: Any, found: Mapping[str, SourceFile]) -> dict[str, bytes]:
    """What Django publishes on a disk; raises what stops it."""
    for name, file in found.items():
        path = Path(storage.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.path, path)
    first = next(iter(found.values()), None)
    source = FileSystemStorage(first.path.removesuffix(first.name) if first else "/")
    paths = {name: (source, name) for name in found}
    for _, _, processed in storage.post_process(paths):
        if isinstance(processed, Exception):
            raise processed
    return {name: bytes_of(file) for name, file in walk(Path(storage.location)).items()}


def assert_same(run: Mapping[str, bytes], expected: Mapping[str, bytes]) -> None:
    """The same names and bytes; manifests are compared as JSON."""
    assert sorted(run) == sorted(expected)
    different = [name for name in run if run[name] != expected[name] and name != MANIFEST]
    assert not different, (different[0], run[different[0]], expected[different[0]])
    if MANIFEST in run:
        assert json.loads(run[MANIFEST]) == json.loads(expected[MANIFEST])


@contextlib.contextmanager
def unchanged(storage: Any) -> Iterator[None]:
    """The live storage is as before, and nobody has asked it for anything."""
    state = {
        name: value.copy() if isinstance(value, dict) else value
        for name, value in storage.__dict__.items()
        if name != "requests"
    }
    storage.requests.clear()
    yield
    assert storage.requests == []
    assert {key: storage.__dict__[key] for key in storage.__dict__ if key != "requests"} == state
