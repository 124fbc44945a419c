"""Small and odd machines: the right result, or one line that says what is missing."""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from collectfasta.strategies import objects
from tests import support
from tests.faults.conftest import FILES, on_disk, tree_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.conftest import Site


@pytest.mark.parametrize("limit", [64, 256])
def test_few_descriptors(
    site: Site, project: Callable[..., Path], tree: Callable[..., Path], limit: int
) -> None:
    """300 files to S3 all the same: fewer threads are used."""
    many = {f"many/{number}.txt": b"%d" % number for number in range(300)}
    tree(many)
    settings = {k: v for k, v in site.settings.items() if k != "COLLECTFASTA_THREADS"}
    folder = project(settings)
    done = subprocess.run(
        support.command_line(),
        cwd=folder,
        env=support.command_env(),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert site.published() == FILES | many


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_one_cpu(site: Site, project: Callable[..., Path], tree: Callable[..., Path]) -> None:
    """No worker processes are started, and the result is the same."""
    many = {f"many/{number}.txt": b"%d" % number for number in range(100)}
    tree(many)
    folder = project(site.settings)
    one = {min(os.sched_getaffinity(0))}
    done = subprocess.run(
        support.command_line(),
        cwd=folder,
        env=support.command_env(),
        preexec_fn=lambda: os.sched_setaffinity(0, one),
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert site.published() == FILES | many


@pytest.fixture
def half_a_gigabyte(unique: str) -> Iterator[Path]:
    """A cgroup that holds no more; skipped where none can be made."""
    root = Path("/sys/fs/cgroup")
    first = root / "memory" if (root / "memory").is_dir() else root
    limit = "memory.limit_in_bytes" if first != root else "memory.max"
    group = first / f"collectfasta-{unique}"
    try:
        group.mkdir()
    except OSError:
        pytest.skip("needs the right to make a cgroup")
    try:
        (group / limit).write_text(str(512 << 20))
        yield group
    except OSError:
        pytest.skip("needs a cgroup that can limit memory")
    finally:
        group.rmdir()


def test_little_memory(
    site: Site, project: Callable[..., Path], tree: Callable[..., Path], half_a_gigabyte: Path
) -> None:
    """512 MB for everything, and 160 MB to publish with as many threads as a run picks."""
    big = {f"big/{number}.bin": bytes([number]) * (4 << 20) for number in range(40)}
    tree(big)
    folder = project({k: v for k, v in site.settings.items() if k != "COLLECTFASTA_THREADS"})
    done = subprocess.run(
        support.command_line(),
        cwd=folder,
        env=support.command_env(),
        preexec_fn=lambda: (half_a_gigabyte / "cgroup.procs").write_text(str(os.getpid())),
        capture_output=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert site.published() == FILES | big


def test_memory_that_runs_out_is_one_line(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the file and what to do, and nothing counts as done that is not."""

    def short(*args: object) -> None:
        raise MemoryError

    monkeypatch.setattr(objects, "read_source", short)
    result = site.collect()
    assert result.status == 1
    assert result.stderr.count("\n") == 1
    assert "not enough memory" in result.stderr
    assert site.published() == {}


NO_SHARED_MEMORY = """
import sys
import _multiprocessing
class SemLock:
    SEM_VALUE_MAX = 1
    def __init__(self, *args):
        raise FileNotFoundError(2, "No such file or directory")
_multiprocessing.SemLock = SemLock
from collectfasta.pipeline import pool
pool.cpus = lambda: 2
pool.MANY_FILES = 1
"""


def test_no_shared_memory(
    project: Callable[..., Path], tree: Callable[..., Path], tmp_path: Path
) -> None:
    """Without /dev/shm semaphores cannot be made, nor processes be talked to: a thread hashes."""
    root = support.write_tree(tmp_path / "root", {"a.css": b"old", "c.css": b"c"})
    files = {"a.css": b"new", "b.css": b"b", "c.css": b"c"}
    result = support.run_command(project(on_disk(tree(files), root), NO_SHARED_MEMORY))
    assert result.status == 0, result.stderr
    assert tree_at(root) == files
    assert "2 static files copied" in result.stdout


NO_TEMPORARY_FOLDER = """
import tempfile
def refuse(*args, **kwargs):
    raise FileNotFoundError(2, "No usable temporary directory found")
for name in ("gettempdir", "mkdtemp", "mkstemp", "TemporaryDirectory", "NamedTemporaryFile"):
    setattr(tempfile, name, refuse)
"""


@pytest.mark.parametrize("manifest", [False, True])
def test_no_temporary_folder(site: Site, project: Callable[..., Path], manifest: bool) -> None:
    """A read-only root: nothing is written but to the destination."""
    settings = site.settings
    if manifest:
        backend = "storages.backends.s3.S3ManifestStaticStorage"
        settings["STORAGES"]["staticfiles"]["BACKEND"] = backend
    result = support.run_command(project(settings, NO_TEMPORARY_FOLDER), "-v0")
    assert result.status == 0, result.stderr
    assert site.published().items() >= FILES.items()
    assert ("staticfiles.json" in site.published()) is manifest
