"""The user's own storage class over local files and memory."""

from __future__ import annotations

import bisect
import datetime as dt
import os
import posixpath
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.contrib.staticfiles.storage import HashedFilesMixin, ManifestFilesMixin
from django.core.exceptions import SuspiciousOperation
from django.core.files.base import ContentFile, File

from collectfasta.manifest.local import LocalFile
from collectfasta.manifest.problems import located, reference_line
from collectfasta.manifest.urls import quick_urls

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator, Sequence

    from collectfasta.items import SourceFile
    from collectfasta.manifest.onepass import OnePass
    from collectfasta.manifest.space import Space

_OURS = ("_space", "_one_pass", "_quick_md5", "_url_base", "collectfasta_warn")


class Overlay:
    """Stands before the user's class: reads come from the space, writes land in it."""

    _space: Space
    collectfasta_warn: Callable[[str], None]

    def open(self, name: str, mode: str = "rb") -> File:
        return self._space.open(name, mode)

    def _open(self, name: str, mode: str = "rb") -> File:
        return self._space.open(name, mode)

    def save(self, name: str | None, content: Any, max_length: int | None = None) -> str:  # noqa: ARG002 - Django's signature
        return self._save(name or content.name, content)

    def _save(self, name: str, content: Any) -> str:
        name = name.replace("\\", "/")
        if isinstance(content, LocalFile):
            self._space.link(name, content.source)
        else:
            content.seek(0)
            data = content.read()
            data = data.encode() if isinstance(data, str) else bytes(data)
            self._space.write(name, data, getattr(content, "name", None) or "")
        return name

    def exists(self, name: str) -> bool:
        return self._space.exists(name)

    def delete(self, name: str) -> None:
        self._space.remove(name)

    def get_available_name(self, name: str, max_length: int | None = None) -> str:  # noqa: ARG002 - Django's signature
        return name

    def path(self, name: str) -> str:
        """The collected file itself, on a storage that has paths; raises as the storage does."""
        path = cast(Any, super()).path(name)
        file = self._space.get(name)
        return path if file is None or file.data is not None else file.path

    def size(self, name: str) -> int:
        return self._known(name).size

    def get_modified_time(self, name: str) -> dt.datetime:
        file = self._known(name)
        when = None if file.data is not None else os.path.getmtime(file.path)
        now = dt.datetime.now(tz=dt.UTC)
        moment = now if when is None else dt.datetime.fromtimestamp(when, tz=dt.UTC)
        return moment if settings.USE_TZ else moment.replace(tzinfo=None)

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        prefix = f"{path.strip('/')}/" if path.strip("/") else ""
        directories: dict[str, None] = {}
        files = []
        for name in self._space.names():
            if name.startswith(prefix):
                first, slash, _ = name[len(prefix) :].partition("/")
                if slash:
                    directories[first] = None
                else:
                    files.append(first)
        return list(directories), files

    def _known(self, name: str) -> SourceFile:
        file = self._space.get(name)
        if file is None:
            raise FileNotFoundError(name)
        return file


class HashedOverlay(Overlay):
    """The same for a class with hashed names."""

    _one_pass: OnePass | None = None
    _quick_md5 = False
    """Whether hashes are the first 12 digits of the MD5 that the scan has found already."""

    def hashed_name(self, *args: Any, **kwargs: Any) -> str:
        content = args[1] if len(args) > 1 else kwargs.get("content")
        parent = cast(Any, super())
        if content is not None:
            return parent.hashed_name(*args, **kwargs)
        with self._space.looking():
            return parent.hashed_name(*args, **kwargs)

    def file_hash(self, name: str | None, content: Any = None) -> str | None:
        if self._quick_md5 and isinstance(content, LocalFile) and content.md5 is not None:
            return content.md5.hex()[:12]
        return cast(Any, super()).file_hash(name, content)

    def _stored_name(self, name: str, hashed_files: dict[str, str]) -> str:
        if self._one_pass is not None:
            this = cast(Any, self)
            self._one_pass.need(this.hash_key(this.clean_name(posixpath.normpath(name))))
        return cast(Any, super())._stored_name(name, hashed_files)

    def url_converter(self, name: str, *args: Any, **kwargs: Any) -> Callable[..., str]:
        """In Django's own passes: a reference that fails does so with its file and line."""
        convert: Callable[..., str] = cast(Any, super()).url_converter(name, *args, **kwargs)
        if self._one_pass is not None:
            return convert

        def guarded(match: re.Match[str]) -> str:
            try:
                return convert(match)
            except (ValueError, SuspiciousOperation) as error:
                _, line = reference_line(name, match.string, match, error)
                raise located(error, line) from error

        return guarded

    def _post_process(
        self, paths: Any, adjustable_paths: Any, hashed_files: dict[str, str]
    ) -> Iterator[tuple[str, Any, Any, bool]]:
        if self._one_pass is None:
            return cast(Any, super())._post_process(paths, adjustable_paths, hashed_files)
        return self._one_pass.run(paths, hashed_files)


def in_ignored_block(_: Any, pos: int, ignored_blocks: Sequence[tuple[int, int]]) -> bool:
    """Django's answer, found by bisection: its blocks are sorted and do not overlap."""
    index = bisect.bisect_left(ignored_blocks, (pos,)) - 1
    return index >= 0 and pos < ignored_blocks[index][1]


class ManifestCatcher:
    """Another storage that the manifest is kept on: what is written to it is only kept."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.caught: dict[str, bytes] = {}

    def exists(self, name: str) -> bool:
        return name in self.caught

    def delete(self, name: str) -> None:
        self.caught.pop(name, None)

    def save(self, name: str, content: Any, max_length: int | None = None) -> str:  # noqa: ARG002 - Django's signature
        return self._save(name, content)

    def _save(self, name: str, content: Any) -> str:
        content.seek(0)
        data = content.read()
        self.caught[name] = data.encode() if isinstance(data, str) else bytes(data)
        return name

    def open(self, name: str, mode: str = "rb") -> File:
        if name in self.caught:
            return ContentFile(self.caught[name], name=name)
        return self._real.open(name, mode)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._real, attribute)


class Copy:
    """An overlay of ``storage`` with a copy of its state, which can be carried over to it later."""

    def __init__(self, storage: Any, space: Space, *, hashed: bool) -> None:
        self._storage = storage
        self._before = {name: _copied(value) for name, value in storage.__dict__.items()}
        self.overlay: Any = object.__new__(_class(type(storage), hashed=hashed))
        self.overlay.__dict__.update(
            {name: _copied(value) for name, value in storage.__dict__.items()},
            _space=space,
            collectfasta_warn=space.warn,
        )
        self.elsewhere: ManifestCatcher | None = None
        manifest_storage: Any = storage.__dict__.get("manifest_storage")
        if manifest_storage is storage:
            self.overlay.__dict__["manifest_storage"] = self.overlay
        elif manifest_storage is not None:
            self.elsewhere = ManifestCatcher(manifest_storage)
            self.overlay.__dict__["manifest_storage"] = self.elsewhere

    def commit(self) -> None:
        """What the overlay has come to know becomes the live storage's."""
        for name, value in self.overlay.__dict__.items():
            if name in _OURS or name == "manifest_storage":
                continue
            if name not in self._before or not _same(self._before[name], value):
                self._storage.__dict__[name] = value


def _class(cls: type, *, hashed: bool) -> type:
    body: dict[str, Any] = {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
    if hashed and not overrides(cls, "is_in_ignored_block"):
        body["is_in_ignored_block"] = in_ignored_block
    bases = (HashedOverlay, cls, *quick_urls(cls)) if hashed else (Overlay, cls)
    return type(cls.__name__, bases, body)


def overrides(cls: type, method: str) -> bool:
    """Whether a class with hashed names has its own ``method``, not one of Django's."""
    for base in cls.__mro__:
        if method in base.__dict__:
            return base not in (HashedFilesMixin, ManifestFilesMixin)
    return False


def _copied(value: Any) -> Any:
    """Plain containers are copied, so that nothing written to the overlay's shows on the live."""
    return value.copy() if type(value) in (dict, list, set) else value


def _same(before: Any, now: Any) -> bool:
    return before == now if type(now) in (dict, list, set) else before is now
