"""Post-processing: from what was collected to what is published, in which order."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.staticfiles.storage import HashedFilesMixin, ManifestFilesMixin
from django.core.exceptions import SuspiciousOperation
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from collectfasta.items import SourceFile
from collectfasta.manifest.live import live_manifest, same_manifest
from collectfasta.manifest.local import as_file
from collectfasta.manifest.onepass import OnePass
from collectfasta.manifest.options import PostProcessOptions
from collectfasta.manifest.overlay import Copy, overrides
from collectfasta.manifest.problems import cycle_line, failure, other_line
from collectfasta.manifest.rules import Rules
from collectfasta.manifest.scanning import scan_files, uncollected
from collectfasta.manifest.space import Space

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["PostProcessOptions", "Processed", "post_process", "runs_directly"]


@dataclass(frozen=True, slots=True)
class Processed:
    """What to publish, in this order, and what to do then."""

    hashed: list[SourceFile]
    """Copies under hashed names, and whatever else the storage's own code has written."""
    plain: list[SourceFile]
    """The collected files, as they were given, but for those that the above replace."""
    manifest: list[tuple[Any | None, SourceFile]]
    """The manifest, with the storage it belongs to where that is another. If the live one says the
    same, these are its very bytes: nothing is written, unless its headers are to change."""
    post_processed: list[tuple[str, str]]
    """Each file's name and hashed name."""
    commit: Callable[[], None]
    """After publishing: make the live storage know the new names."""
    close: Callable[[], None]
    """At the end, whatever happened: remove the temporary folder."""


def runs_directly(storage: Any, *, remote: bool) -> bool:
    """Whether ``storage.post_process`` is to be called on the live storage, after plain files were
    copied there: it is the class's own code, which may expect to find them on the disk."""
    own = not isinstance(storage, HashedFilesMixin) or overrides(type(storage), "post_process")
    return not remote and hasattr(storage, "post_process") and own


def post_process(
    storage: Any, found: Mapping[str, SourceFile], options: PostProcessOptions
) -> Processed:
    """Post-process ``found`` (by name, in the order of collecting) as ``storage`` would.

    Nothing is written to the storage, nor changed in it. Raises ``PostProcessError`` with every
    reference that leads nowhere and every import cycle, ``SourceError``, ``DestinationError``.
    """
    folder = None
    if options.mode == "files":
        folder = tempfile.TemporaryDirectory(prefix="collectfasta-")
    close = folder.cleanup if folder is not None else _nothing
    try:
        local = isinstance(storage, FileSystemStorage)
        space = Space(storage, found, options.warn, local=local, folder=folder)
        return _Processing(storage, space, options).processed(close)
    except BaseException:
        close()
        raise


def _nothing() -> None:
    pass


class _Processing:
    """One post-processing of ``space`` by a copy of ``storage``."""

    def __init__(self, storage: Any, space: Space, options: PostProcessOptions) -> None:
        self._storage = storage
        self._space = space
        self._options = options
        self._hashed = isinstance(storage, HashedFilesMixin)
        self._copy = Copy(storage, space, hashed=self._hashed)
        self._overlay = self._copy.overlay
        self._one_pass: OnePass | None = None

    def processed(self, close: Callable[[], None]) -> Processed:
        cls = type(self._storage)
        own = not self._hashed or overrides(cls, "post_process")
        if self._hashed and not (
            overrides(cls, "_post_process") or self._storage.keep_intermediate_files
        ):
            self._one_pass = self._overlay._one_pass = self._prepared()
        pairs = self._consumed(self._their_results() if own else self._results())
        manifest = self._manifest()
        kept = {file.name for storage, file in manifest if storage is None}
        space = self._space
        gone = kept | space.removed | space.written.keys()
        return Processed(
            hashed=list(space.written.values()),
            plain=[file for name, file in space.found.items() if name not in gone],
            manifest=manifest,
            post_processed=pairs,
            commit=self._copy.commit,
            close=close,
        )

    def _prepared(self) -> OnePass:
        """Scan everything that was collected."""
        space, options = self._space, self._options
        rules = Rules(self._overlay._patterns)
        md5 = self._overlay._quick_md5 = _hashes_are_md5(self._storage)
        files = space.found.values()
        scans = scan_files(files, rules, options, md5=md5)
        for name, scan in scans.items():
            if scan.md5 is not None:
                space.md5[name] = scan.md5
        if options.lookup is not None:
            names = uncollected(space.found, scans, settings.STATIC_URL)
            names = [name for name in names if not space.is_directory(name)]
            space.expect(names, options.lookup(names) if names else ())
        return OnePass(self._overlay, space, rules, scans, options.stop)

    def _their_results(self) -> Iterator[tuple[Any, ...]]:
        """The class's own ``post_process``, which may well go on to Django's."""
        paths = {name: (self._space.sources, name) for name in self._space.found}
        yield from self._overlay.post_process(paths, dry_run=self._options.dry_run)

    def _results(self) -> Iterator[tuple[Any, ...]]:
        """What Django's ``post_process`` does, without its search through a list for each file.

        Nothing is published from here, so a dry run may do it too.
        """
        overlay = self._overlay
        if self._one_pass is None:
            yield from self._their_results()
            return
        paths = {name: (self._space.sources, name) for name in self._space.found}
        hashed_files: dict[str, str] = {}
        for name, hashed_name, processed, _ in overlay._post_process(paths, (), hashed_files):
            yield name, hashed_name, processed
        if self._one_pass.cycles:
            yield self._one_pass.cycles[0][0], None, RuntimeError("import cycle")
        if isinstance(overlay, ManifestFilesMixin):
            overlay.hashed_files = hashed_files
            overlay.save_manifest()
        else:
            overlay.hashed_files.update(hashed_files)

    def _consumed(self, results: Iterable[tuple[Any, ...]]) -> list[tuple[str, str]]:
        """Raises ``PostProcessError`` if there was any problem that the class has not swallowed."""
        pairs = []
        try:
            for name, hashed_name, processed in results:
                if isinstance(processed, Exception):
                    raise failure(self._lines() or [other_line(name, processed)]) from processed
                if processed:
                    pairs.append((name, hashed_name))
        except SuspiciousOperation as error:
            raise failure(self._lines() or [other_line("", error)]) from error
        return pairs

    def _lines(self) -> list[str]:
        if self._one_pass is None:
            return []
        return self._one_pass.lines + [cycle_line(names) for names in self._one_pass.cycles]

    def _manifest(self) -> list[tuple[Any | None, SourceFile]]:
        """What is to be there of it."""
        if not isinstance(self._overlay, ManifestFilesMixin):
            return []
        elsewhere, name = self._copy.elsewhere, self._overlay.manifest_name
        if elsewhere is not None:
            real = self._storage.manifest_storage
            return [(real, _as_live(real, key, data)) for key, data in elsewhere.caught.items()]
        written = self._space.written.pop(name, None)
        if written is None:
            return []
        with as_file(written) as content:
            data: bytes = content.read()
        return [(None, _as_live(self._storage, name, data))]


def _as_live(storage: Any, name: str, data: bytes) -> SourceFile:
    """``data``, or what is live if that says the same."""
    live = live_manifest(storage, name)
    if live is not None and same_manifest(live, data):
        data = live
    return SourceFile("", name, len(data), data)


def _hashes_are_md5(storage: Any) -> bool:
    """Whether names carry the first 12 digits of the MD5, as every Django so far has it."""
    if overrides(type(storage), "file_hash"):
        return False
    probe = b"collectfasta"
    expected = hashlib.md5(probe, usedforsecurity=False).hexdigest()[:12]
    return bool(storage.file_hash("probe", ContentFile(probe)) == expected)
