"""Hashed names and rewritten files in one pass: each reference is resolved when it is met.

Django goes over all CSS and JavaScript up to six times, until no name changes any more. Here, a
file that is referred to is finished first, so that its final name is known; each file is read and
rewritten once. Converting a reference is left to the storage's own ``url_converter``.

Only where files refer to each other in a circle, and a name cannot be known in time, are the
files concerned gone over again, as Django does; names that depend on content never settle then.
"""

from __future__ import annotations

import os
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

from django.core.exceptions import SuspiciousOperation
from django.core.files.base import ContentFile

from collectfasta.exceptions import SourceError
from collectfasta.items import SourceFile
from collectfasta.manifest.cycles import cycles, reaching
from collectfasta.manifest.local import as_file
from collectfasta.manifest.rewrite import Rewriter
from collectfasta.manifest.scan import Scan, scan_bytes
from collectfasta.manifest.stack import in_fresh_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from collectfasta.manifest.rules import Rules
    from collectfasta.manifest.space import Space

DEPTH = 25
"""References followed within one thread: each takes about ten of Python's thousand frames."""

Result = tuple[str, "str | None", "bool | Exception", bool]
"""What Django's ``_post_process`` yields: name, hashed name, processed, still changing."""


class OnePass:
    """One run over the files of ``space`` for ``overlay``. ``scans`` is by name."""

    def __init__(
        self,
        overlay: Any,
        space: Space,
        rules: Rules,
        scans: Mapping[str, Scan],
        stop: Callable[[], bool],
    ) -> None:
        self._overlay = overlay
        self._space = space
        self._rules = rules
        self._stop = stop
        self._scans = dict(scans)
        self._rewriter = Rewriter(overlay, rules, space.staged)
        self._sources: dict[str, SourceFile] = {}
        self._keys: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._hashed: dict[str, str] = {}
        self._made: dict[str, SourceFile | None] = {}
        self._positions: dict[str, int] = {}
        self._chain: dict[str, None] = {}
        self._depth = 0
        self._graph: dict[str, dict[str, None]] = {}
        self._guesses: dict[str, str] = {}
        self._unsettled: frozenset[str] = frozenset()
        self.cycles: list[list[str]] = []
        """Files whose names never settle, because they refer to each other."""

    @property
    def lines(self) -> list[str]:
        """What is wrong with references, a line each, file by file."""
        return [
            line for _, lines in sorted(self._rewriter.lines.items()) for _, line in sorted(lines)
        ]

    def run(self, paths: Mapping[str, tuple[Any, str]], hashed: dict[str, str]) -> Iterator[Result]:
        """In place of ``_post_process``: the first call does it all, later ones repeat."""
        names = _deepest_first(paths)
        if not self._made:
            self._run(names, paths, hashed)
        for name in names:
            for error in self._rewriter.errors.pop(name, ()):
                if isinstance(error, SuspiciousOperation):
                    raise error  # as Django does: no class takes this for a reference that fails
                yield name, None, error, False
            hashed_name = self._hashed_name(name)
            processed = name in self._graph or hashed_name in self._space.written
            yield name, hashed_name, processed, name in self._unsettled

    def need(self, key: str) -> None:
        """A reference to the file with this hash key was met: see to it that its name is known."""
        name = self._names.get(key)
        if name is None:
            return
        if self._chain:
            self._graph[next(reversed(self._chain))][name] = None
        if key in self._hashed:
            return
        if name in self._chain:
            self._guesses[name] = self._hashed[key] = self._name_of_original(name)
        else:
            self._resolve(name)

    # -- the pass -------------------------------------------------------------------------------

    def _run(
        self, names: list[str], paths: Mapping[str, tuple[Any, str]], hashed: dict[str, str]
    ) -> None:
        self._hashed = hashed
        self._positions = {name: position for position, name in enumerate(names)}
        for name in names:
            self._sources[name] = self._source(name, *paths[name])
            self._names[self._key(name)] = name
        for name in names:
            self._resolve(name)
        wrong = {name for name, guess in self._guesses.items() if self._hashed_name(name) != guess}
        if wrong:
            self._settle(wrong)
        in_order = {self._key(name): self._hashed_name(name) for name in names}
        hashed.clear()
        hashed.update(in_order)
        self._space.staged.files.clear()
        for name in names:
            self._write(name)

    def _source(self, name: str, storage: Any, path: str) -> SourceFile:
        """The file itself; if the storage's own code has put another in its place, its bytes."""
        if storage is self._space.sources and path == name:
            return self._space.found[name]
        with storage.open(path) as other:
            data = other.read()
        group = self._rules.group(name)
        rules = self._rules.groups[group] if group >= 0 else []
        self._scans[name] = scan_bytes(data, rules, None) if rules else Scan()
        self._space.md5.pop(name, None)
        return SourceFile(path, name, len(data), data)

    def _key(self, name: str) -> str:
        key = self._keys.get(name)
        if key is None:
            key = self._keys[name] = self._overlay.hash_key(self._overlay.clean_name(name))
        return key

    def _hashed_name(self, name: str) -> str:
        return self._hashed[self._key(name)]

    def _resolve(self, name: str) -> None:
        if name in self._made:
            return
        if self._stop():
            raise CancelledError
        depth = self._depth
        try:
            if depth < DEPTH:
                self._depth = depth + 1
                self._work(name)
            else:
                self._depth = 0
                in_fresh_stack(lambda: self._work(name))
        finally:
            self._depth = depth

    def _work(self, name: str) -> None:
        if self._rules.group(name) >= 0:
            self._graph[name] = {}
            self._chain[name] = None
            try:
                self._make(name)
            finally:
                del self._chain[name]
        else:
            self._finish(name, self._name_of_original(name), None)

    def _make(self, name: str) -> None:
        """Rewrite ``name`` if it refers to anything, and give it its hashed name."""
        source = self._sources[name]
        with self._space.staged.at(self._positions[name]):
            data = self._rewriter.rewritten(source, self._scans[name], self._hashed)
        if data is None:
            self._finish(name, self._name_of_original(name), None)
        else:
            hashed_name = self._clean(self._overlay.hashed_name(name, ContentFile(data)))
            self._finish(name, hashed_name, self._space.keep(hashed_name, data, source.path))

    def _finish(self, name: str, hashed_name: str, made: SourceFile | None) -> None:
        self._made[name] = made
        self._hashed[self._key(name)] = hashed_name
        self._space.staged.add(hashed_name, made or self._sources[name], self._positions[name])

    def _name_of_original(self, name: str) -> str:
        source = self._sources[name]
        try:
            with as_file(source, self._space.md5.get(name)) as file:
                return self._clean(self._overlay.hashed_name(name, file))
        except OSError as error:
            raise SourceError(f"Cannot read {source.path}: {error.strerror}.", name=name) from error

    def _clean(self, name: str) -> str:
        return self._overlay.clean_name(name)

    def _settle(self, wrong: set[str]) -> None:
        """Go over the files again that made use of a name which turned out to be another."""
        concerned = reaching(wrong, self._graph)
        changed: list[str] = []
        for _ in range(self._overlay.max_post_process_passes):
            changed = [name for name in list(self._made) if name in concerned and self._again(name)]
            if not changed:
                return
        self._unsettled = frozenset(changed)
        self.cycles = [
            group for group in cycles(concerned, self._graph) if self._unsettled.intersection(group)
        ]

    def _again(self, name: str) -> bool:
        before = self._hashed_name(name)
        self._make(name)
        return self._hashed_name(name) != before

    def _write(self, name: str) -> None:
        """As in Django, a file that may hold references replaces what has its hashed name."""
        hashed_name, made = self._hashed_name(name), self._made[name]
        if made is not None:
            self._space.written[hashed_name] = made
        elif name in self._graph or self._space.get(hashed_name) is None:
            self._space.link(hashed_name, self._sources[name])


def _deepest_first(names: Iterable[str]) -> list[str]:
    """Django's order."""
    return sorted(names, key=lambda name: -len(name.split(os.sep)))
