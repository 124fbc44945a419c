"""Many runs in one process, with random edits: memory, descriptors and threads stay as they are."""

from __future__ import annotations

import ctypes
import gc
import os
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.benchmarks import control

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

WARM = 50
"""Runs until the caches of Python, Django and the libraries are full."""
ROOM = 8 << 20
"""Bytes that memory may grow by: an allocator is no accountant."""


@dataclass(frozen=True, slots=True)
class Use:
    """What a process holds: bytes in memory, open descriptors, threads."""

    memory: int
    descriptors: int
    threads: int

    def __str__(self) -> str:
        memory = f"{self.memory / 2**20:.1f} MiB"
        return f"{memory}, {self.descriptors} descriptors, {self.threads} threads"


def use() -> Use:
    """This process's, now. Needs ``/proc``.

    Under ``scripts/soak`` Python leaves memory to the system's allocator, and what that holds in
    reserve is given back: else pages that one block in a thousand keeps would look like a leak.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    descriptors = len(os.listdir("/proc/self/fd"))
    return Use(pages * os.sysconf("SC_PAGE_SIZE"), descriptors, threading.active_count())


def soak(runs: int, files: int, dice: random.Random, say: Callable[[str], None]) -> None:
    """Raises ``AssertionError`` where a run fails, the bucket is wrong, or something has grown."""
    from tests.conftest import pytest_configure

    pytest_configure()
    from tests import servers

    with (
        tempfile.TemporaryDirectory() as folder,
        control.running("--latency", "0") as store,
        servers.serve_memcached() as memcached,
    ):
        site = Site(Path(folder), store.url, memcached.address, files)
        first = site.collect()
        assert f"{files} static files copied" in first, first
        warm = use()
        for number in range(1, runs + 1):
            edited = site.edit(dice)
            said = site.collect()
            assert f"\n{len(edited)} static file" in f"\n{said}", said
            site.check(edited)
            if number == WARM:
                warm = use()
                say(f"after {number} runs: {warm}")
            elif number % 50 == 0 or number == runs:
                say(f"after {number} runs: {use()}")
        site.check(list(site.tree))
        if runs > WARM:
            check_growth(warm, use())


def check_growth(warm: Use, end: Use) -> None:
    """Raises ``AssertionError`` if something has grown."""
    assert end.memory <= warm.memory + ROOM, f"memory has grown from {warm} to {end}"
    assert end.descriptors <= warm.descriptors + 2, f"descriptors: from {warm} to {end}"
    assert end.threads <= warm.threads + 2, f"threads: from {warm} to {end}"


class Site:
    """A tree of small files, a bucket and a cache."""

    def __init__(self, folder: Path, endpoint: str, cache: str, files: int) -> None:
        from tests import support
        from tests.places import S3Bucket

        self.tree = {f"{n % 20}/{n}.css": b"/*%08d*/" % n * 40 for n in range(files)}
        self.folder = support.write_tree(folder / "source", self.tree)
        self.bucket = S3Bucket.new(endpoint)
        self.settings: dict[str, Any] = {
            "STATICFILES_DIRS": [str(self.folder)],
            "STORAGES": self.bucket.storages("static"),
            "CACHES": support.memcached_caches(cache, "soak"),
        }

    def edit(self, dice: random.Random) -> list[str]:
        """Change up to ten files, most of them keeping their size; their names."""
        chosen = dice.sample(sorted(self.tree), dice.randint(0, min(10, len(self.tree))))
        for name in chosen:
            size = len(self.tree[name]) if dice.random() < 0.8 else dice.randrange(2000)
            data = dice.randbytes(size) or b"x"
            self.tree[name] = data
            (self.folder / name).write_bytes(data)
        return chosen

    def collect(self) -> str:
        """Run once; Django's summary. Raises ``AssertionError`` if it fails or warns."""
        from tests import support

        result = support.collect(settings=self.settings)
        assert result.status == 0, result.output
        assert not result.stderr, result.stderr
        return result.stdout

    def check(self, names: list[str]) -> None:
        """The bucket holds what the tree holds."""
        for name in names:
            assert self.bucket.read(f"static/{name}") == self.tree[name], name
