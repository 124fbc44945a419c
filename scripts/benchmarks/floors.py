"""What nothing can be faster than: walking a tree, reading and hashing it, its bytes on a link."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from os import cpu_count
from typing import TYPE_CHECKING

import xxhash

from scripts.benchmarks.corpora import walk
from scripts.benchmarks.records import Floor

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.benchmarks.records import Setting


def hash_files(paths: list[str]) -> int:
    """Read and hash them; returns their number."""
    for path in paths:
        with open(path, "rb", buffering=0) as file:
            xxhash.xxh3_128_digest(file.read())
    return len(paths)


def measure_floor(setting: Setting, folder: Path) -> Floor:
    """Take the better of two tries, with as many processes as there are CPUs."""
    processes = cpu_count() or 1
    walks, reads = [], []
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        list(pool.map(hash_files, [[] for _ in range(processes)]))  # they are up
        for _ in range(2):
            begin = time.perf_counter()
            paths = [entry.path for entry in walk(folder)]
            walked = time.perf_counter()
            batches = [paths[start : start + 200] for start in range(0, len(paths), 200)]
            sum(pool.map(hash_files, batches))
            walks.append(walked - begin)
            reads.append(time.perf_counter() - walked)
    link = setting.size * 8 / (setting.bandwidth * 1e6) if setting.bandwidth else 0.0
    return Floor(setting, min(walks), min(reads), link)
