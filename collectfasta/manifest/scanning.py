"""All collected files scanned, in worker processes where that pays."""

from __future__ import annotations

import posixpath
import re
from collections import deque
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag, urlsplit

from collectfasta.exceptions import SourceError
from collectfasta.manifest.scan import Job, Scan, scan_batch
from collectfasta.pipeline.hashing import batches
from collectfasta.pipeline.pool import HashPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Future

    from collectfasta.items import SourceFile
    from collectfasta.manifest.options import PostProcessOptions
    from collectfasta.manifest.rules import Rules

AHEAD = 2
"""Batches that wait for each worker."""


def scan_files(
    files: Iterable[SourceFile], rules: Rules, options: PostProcessOptions, *, md5: bool
) -> dict[str, Scan]:
    """Scan each file once, by name. ``md5``: find the MD5 of every file too.

    ``options.pool`` is used if given, else one is started for as long as it takes.
    Raises ``SourceError`` for a file that cannot be read, ``CancelledError`` if told to stop.
    """
    groups = {file: group for file in files if (group := rules.group(file.name)) >= 0 or md5}
    if options.pool is not None:
        return _scanned(groups, rules, options.pool, options.stop, md5=md5)
    pool = HashPool(len(groups), sum(file.size for file in groups), options.warn)
    done = False
    try:
        scans = _scanned(groups, rules, pool, options.stop, md5=md5)
        done = True
    finally:
        pool.close(at_once=not done)
    return scans


def _scanned(
    groups: dict[SourceFile, int],
    rules: Rules,
    pool: HashPool,
    stop: Callable[[], bool],
    *,
    md5: bool,
) -> dict[str, Scan]:
    """Only a few batches are under way at any time, so that stopping does not take long."""
    scans: dict[str, Scan] = {}
    pending: deque[tuple[list[SourceFile], Future[list[Scan]]]] = deque()

    def finish() -> None:
        batch, future = pending.popleft()
        for file, scan in zip(batch, future.result(), strict=True):
            scans[file.name] = _readable(file, scan)

    for batch in batches(groups):
        if stop():
            raise CancelledError
        jobs = [Job(file.path, groups[file]) for file in batch]
        pending.append((batch, pool.run(scan_batch, jobs, rules.groups, md5)))
        if len(pending) > AHEAD * pool.processes:
            finish()
    while pending:
        finish()
    return scans


def _readable(file: SourceFile, scan: Scan) -> Scan:
    if scan.unread:
        raise SourceError(f"Cannot read {file.path}: {scan.unread}.", name=file.name)
    return scan


def uncollected(found: Mapping[str, SourceFile], scans: Mapping[str, Scan], url: str) -> list[str]:
    """The files that are referred to, as far as can be told beforehand, and were not collected.

    ``url`` is STATIC_URL. References are read as Django reads them.
    """
    names = {
        target
        for name, scan in scans.items()
        for reference in scan.urls
        if (target := _target(name, reference, url)) and target not in found
    }
    return sorted(name for name in names if not name.startswith(".."))


def _target(name: str, reference: str, url: str) -> str:
    """The file that ``reference`` in ``name`` leads to; empty if it is none of ours."""
    path, _ = urldefrag(reference)
    if re.match(r"[a-z]+:|//", reference) or not path or path.endswith("/"):
        return ""
    if path.startswith("/"):
        if not path.startswith(url):
            return ""
        path = path.removeprefix(url)
    else:
        path = posixpath.join(posixpath.dirname(name), path)
    return urlsplit(posixpath.normpath(unquote(path))).path.strip()
