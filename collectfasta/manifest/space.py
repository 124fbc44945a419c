"""What post-processing reads and writes: collected files, memory, and never the destination.

With one exception: a reference to a file that was not collected is looked up there, once.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
from typing import TYPE_CHECKING, Any

from django.core.exceptions import SuspiciousOperation

from collectfasta.exceptions import DestinationError
from collectfasta.items import SourceFile
from collectfasta.manifest.local import Sources, as_file
from collectfasta.manifest.staged import Staged

if TYPE_CHECKING:
    import tempfile
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from django.core.files.base import File


class Space:
    """The files of one post-processing. ``real`` is the user's storage, ``local`` says whether it
    is a disk, where folders exist too. ``folder`` is where changed bytes go instead of memory."""

    def __init__(
        self,
        real: Any,
        found: Mapping[str, SourceFile],
        warn: Callable[[str], None],
        *,
        local: bool,
        folder: tempfile.TemporaryDirectory[str] | None = None,
    ) -> None:
        self.real = real
        self.found = found
        self.warn = warn
        self.local = local
        self.md5: dict[str, bytes] = {}
        """By name, as far as the scan has found them."""
        self.sources = Sources(found, self.md5)
        self.written: dict[str, SourceFile] = {}
        self.removed: set[str] = set()
        self.staged = Staged(warn)
        self._folder = folder
        self._kept = 0
        self._directories: set[str] | None = None
        self._there: dict[str, bool] = {}
        self._looking = 0

    def get(self, name: str) -> SourceFile | None:
        """The file that goes by ``name`` now: written, or collected."""
        for known in (name, posixpath.normpath(name.replace("\\", "/"))):
            file = self.written.get(known)
            if file is None and known not in self.removed:
                file = self.found.get(known)
            if file is not None:
                return file
        return None

    def open(self, name: str, mode: str) -> File:
        """Raises ``OSError`` as a storage would."""
        file = self.get(name)
        if file is not None:
            return as_file(file, self.md5.get(file.name))
        if self.is_directory(name):
            raise IsADirectoryError(name)
        if self._there.get(name):
            return self.real.open(name, mode)
        if self.staged.sees(name):
            return as_file(self.staged.files[name])
        raise FileNotFoundError(name)

    def exists(self, name: str) -> bool:
        if self.get(name) is not None or self.is_directory(name):
            return True
        return bool(self._looking) and (self.staged.sees(name) or self._on_destination(name))

    def is_directory(self, name: str) -> bool:
        """Whether ``name`` is a folder of collected files, on a storage that has folders."""
        if not self.local:
            return False
        if self._directories is None:
            self._directories = {"", "."}
            for file in self.found:
                folder = posixpath.dirname(file)
                while folder not in self._directories:
                    self._directories.add(folder)
                    folder = posixpath.dirname(folder)
        return posixpath.normpath(name) in self._directories

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        """While a reference is resolved: what was not collected may be on the destination."""
        self._looking += 1
        try:
            yield
        finally:
            self._looking -= 1

    def expect(self, names: Iterable[str], there: Iterable[str]) -> None:
        """It is known already which of ``names`` (not collected) are on the destination."""
        found = set(there)
        for name in names:
            self._there.setdefault(name, name in found)
            if name in found:
                self._say_there(name)

    def _on_destination(self, name: str) -> bool:
        if name not in self._there:
            try:
                self._there[name] = bool(self.real.exists(name))
            except (SuspiciousOperation, ValueError):
                raise
            except Exception as error:
                why = type(error).__name__  # its text may hold a signed address
                raise DestinationError(
                    f"{name} cannot be looked up on the destination ({why}).", name=name
                ) from error
            if self._there[name]:
                self._say_there(name)
        return self._there[name]

    def _say_there(self, name: str) -> None:
        self.warn(
            f"{name} is referred to but was not collected: the reference is to the copy on the "
            "destination, whose hashed copy may not exist."
        )

    def write(self, name: str, data: bytes, origin: str) -> None:
        """Keep changed bytes under ``name``; ``origin`` is the local path they were made from."""
        self.written[name] = self.keep(name, data, origin)

    def keep(self, name: str, data: bytes, origin: str) -> SourceFile:
        """Changed bytes as a file to publish as ``name``."""
        if self._folder is None:
            return SourceFile(origin, name, len(data), data)
        self._kept += 1
        path = os.path.join(self._folder.name, str(self._kept))
        with open(path, "wb") as file:
            file.write(data)
        return SourceFile(path, name, len(data))

    def link(self, name: str, source: SourceFile) -> None:
        """``name`` is a second name for the same bytes."""
        pinned = source.data is None
        self.written[name] = SourceFile(
            source.path, name, source.size, source.data, source.modified, pinned
        )

    def remove(self, name: str) -> None:
        self.written.pop(name, None)
        if name in self.found:
            self.removed.add(name)

    def names(self) -> Iterator[str]:
        """Every name that exists now."""
        yield from self.written
        for name in self.found:
            if name not in self.written and name not in self.removed:
                yield name
