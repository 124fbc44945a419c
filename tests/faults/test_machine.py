"""What goes wrong on this machine: disks, descriptors, processes."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest

from collectfasta.pipeline import crew, pool
from tests import support
from tests.faults.conftest import FILES, on_disk, tree_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.faults.conftest import Site


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mount one; skipped where that is not allowed."""
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        folder = tmp_path / "disk"
        folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if "remount" in options:
            command = ["mount", "-o", options, str(folder)]
        done = subprocess.run(command, capture_output=True, check=False, timeout=30)
        if done.returncode != 0:
            pytest.skip("needs the right to mount a file system")
        mounted[:] = [folder]
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True, timeout=30)


def test_a_full_disk(small_disk: Callable[..., Path], tree: Callable[..., Path]) -> None:
    """Exit 1; every file is named or there, wholly old or wholly new; nothing unfinished stays."""
    root = small_disk("size=64k")
    settings = on_disk(tree({"a.css": b"old", "small.txt": b"s"}), root)
    assert support.collect(settings=settings).status == 0
    tree({"a.css": b"n" * 200_000, "big.bin": b"b" * 300_000})
    result = support.collect(settings=settings)
    assert result.status == 1
    assert "Traceback" not in result.output
    for name in ("a.css", "big.bin"):
        assert f"{name}: cannot write {root / name}: No space left on device." in result.stderr
    assert tree_at(root) == {"a.css": b"old", "small.txt": b"s"}


def test_a_read_only_disk(small_disk: Callable[..., Path], tree: Callable[..., Path]) -> None:
    """Every file that should be written is named; those that are right are not."""
    root = small_disk("size=1m")
    settings = on_disk(tree({"a.css": b"a", "b.css": b"b"}), root)
    assert support.collect(settings=settings).status == 0
    small_disk("remount,ro")
    assert support.collect(settings=settings).status == 0
    tree({"b.css": b"B"})
    result = support.collect(settings=settings)
    assert result.status == 1
    assert "b.css: cannot write" in result.stderr
    assert "Read-only file system" in result.stderr
    assert "a.css" not in result.stderr
    assert tree_at(root) == {"a.css": b"a", "b.css": b"b"}


def test_no_descriptor_at_all_is_a_line_and_not_a_success(
    project: Callable[..., Path], tree: Callable[..., Path], tmp_path: Path
) -> None:
    """The limit is met in mid-run: nothing counts as done that is not."""
    source = tree({f"{number}.txt": b"%d" % number for number in range(200)})
    preamble = (
        "import resource\n"
        "from collectfasta.pipeline import run\n"
        "execute = run.Run._execute\n"
        "def starved(self, *args):\n"
        "    kept = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "    resource.setrlimit(resource.RLIMIT_NOFILE, (3, kept[1]))\n"
        "    try:\n"
        "        execute(self, *args)\n"
        "    finally:\n"
        "        resource.setrlimit(resource.RLIMIT_NOFILE, kept)\n"
        "run.Run._execute = starved\n"
    )
    folder = project(on_disk(source, tmp_path / "root"), preamble)
    result = support.run_command(folder)
    assert result.status == 1
    assert "Too many open files" in result.stderr
    assert "Traceback" not in result.output


@pytest.fixture
def two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash in processes, however small the tree, on however small a machine."""
    from collectfasta.pipeline import hashing

    monkeypatch.setattr(pool, "cpus", lambda: 2)
    monkeypatch.setattr(pool, "MANY_FILES", 1)
    monkeypatch.setattr(hashing, "BATCH_FILES", 2)


@pytest.mark.usefixtures("two_processes")
def test_hash_workers_killed_in_mid_run(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """``kill -9``, as the kernel does it when memory is short: hashing goes on without them."""
    assert site.collect().status == 0
    killed: list[int] = []
    submit = pool.HashPool._submit

    def kill_then_submit(self: pool.HashPool, *args: Any, **kwargs: Any) -> Any:
        future = submit(self, *args, **kwargs)
        for pid in list(getattr(self._executor, "_processes", None) or {}):
            if pid not in killed:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
        return future

    monkeypatch.setattr(pool.HashPool, "_submit", kill_then_submit)
    support.write_tree(site.source, {"js/d.js": b"D()" * 9000, "f.txt": b"PLAIN"})
    result = site.collect()
    assert killed
    assert result.status == 0, result.output
    assert result.stderr.count("Warning: Hashing goes on without worker processes") == 1
    assert site.published() == FILES | {"js/d.js": b"D()" * 9000, "f.txt": b"PLAIN"}


def test_a_machine_without_threads_to_spare_never_claims_success(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one I/O thread can be started: one line, exit 1."""
    start = crew.Crew._start

    def refuse(self: crew.Crew[Any]) -> bool:
        monkeypatch.setattr(threading.Thread, "start", fail)
        return start(self)

    def fail(thread: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(crew.Crew, "_start", refuse)
    result = site.collect()
    assert result.status == 1
    assert result.stderr.count("\n") == 1
    assert "start a thread" in result.stderr
