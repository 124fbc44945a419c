"""Hashing in worker processes, and without them."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

import pytest
from xxhash import xxh3_128

from collectfasta.pipeline import pool
from collectfasta.pipeline.hash import digest_of, hash_batch
from collectfasta.pipeline.pool import HashPool, cpus
from tests.support import ROOT

if TYPE_CHECKING:
    from pathlib import Path

MANY = 1_000_000
"""Files enough to make worker processes pay."""


@pytest.fixture
def two_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine where worker processes can pay."""
    monkeypatch.setattr(pool, "cpus", lambda: 2)


def kill_self() -> int:
    """What an out-of-memory killer does to a worker; run again in the parent, it answers."""
    if os.environ.get("COLLECTFASTA_TEST_PARENT") != str(os.getpid()):
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


@pytest.mark.usefixtures("two_cpus")
def test_big_work_is_done_in_other_processes() -> None:
    """The answer comes from another process."""
    warned: list[str] = []
    hashing = HashPool(MANY, 0, warned.append)
    try:
        assert hashing.in_processes
        assert hashing.run(os.getpid).result(60) != os.getpid()
    finally:
        hashing.close()
    assert not warned


def test_small_work_is_done_in_this_process() -> None:
    """Starting processes would cost more than it saves."""
    hashing = HashPool(10, 10, print)
    assert not hashing.in_processes
    assert hashing.run(os.getpid).result(60) == os.getpid()
    hashing.close()


@pytest.mark.usefixtures("two_cpus")
def test_a_machine_that_cannot_start_processes_hashes_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No /dev/shm: semaphores cannot be made."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(pool, "ProcessPoolExecutor", refuse)
    hashing = HashPool(MANY, 0, print)
    assert hashing.run(os.getpid).result(60) == os.getpid()
    hashing.close()


@pytest.mark.usefixtures("two_cpus")
def test_processes_that_fail_to_start_are_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error comes at the first job, not when the pool is made."""
    warned: list[str] = []
    hashing = HashPool(MANY, 0, warned.append)

    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(hashing._executor, "submit", refuse)
    assert hashing.run(os.getpid).result(60) == os.getpid()
    assert "Too many open files" in warned[0]
    hashing.close()


@pytest.mark.usefixtures("two_cpus")
def test_what_a_killed_worker_leaves_is_done_in_this_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every future still gets its answer, and the user one warning."""
    monkeypatch.setenv("COLLECTFASTA_TEST_PARENT", str(os.getpid()))
    warned: list[str] = []
    hashing = HashPool(MANY, 0, warned.append)
    try:
        futures = [hashing.run(kill_self) for _ in range(8)]
        assert [future.result(60) for future in futures] == [os.getpid()] * 8
        assert hashing.run(os.getpid).result(60) == os.getpid()
    finally:
        hashing.close()
    assert len(warned) == 1


@pytest.mark.usefixtures("two_cpus")
def test_an_error_in_a_worker_is_raised_by_the_future() -> None:
    """Bugs in worker code are not swallowed."""
    hashing = HashPool(MANY, 0, print)
    try:
        with pytest.raises(ZeroDivisionError):
            hashing.run(divmod, 1, 0).result(60)
    finally:
        hashing.close()


@pytest.mark.usefixtures("two_cpus")
def test_at_once_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C does not wait for what the workers are at."""
    warned: list[str] = []
    hashing = HashPool(MANY, 0, warned.append)
    worker = hashing.run(os.getpid).result(60)
    sleeping = hashing.run(time.sleep, 100)
    hashing.close(at_once=True)
    deadline = time.monotonic() + 30
    while _runs(worker):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with pytest.raises(CancelledError):
        sleeping.result(60)
    assert warned == []


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


UNGUARDED = """
import os, sys
from collectfasta.pipeline import pool
print("entered", flush=True)
pool.cpus = lambda: 2
hashing = pool.HashPool(1_000_000, 0, print)
print(hashing.run(os.getpid).result(60) != os.getpid())
hashing.close()
print("__file__" in globals(), __spec__)
"""


def test_an_unguarded_program_is_entered_once(tmp_path: Path) -> None:
    """Workers never import the user's ``__main__``, which is put back as it was."""
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(UNGUARDED))
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split("\n") == ["entered", "True", "True None", ""]


def test_worker_code_imports_no_django() -> None:
    """A worker starts in a tenth of the time that Django takes."""
    code = (
        "import sys, collectfasta.pipeline.hash; print([m for m in sys.modules if 'django' in m])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_a_file_is_digested_with_md5_only_if_asked_for(tmp_path: Path) -> None:
    """Both are those of the libraries over the whole content, larger than a chunk."""
    data = os.urandom(3 << 20)
    (tmp_path / "big").write_bytes(data)
    path = str(tmp_path / "big")
    xxh3, md5 = xxh3_128(data).digest(), hashlib.md5(data).digest()
    assert hash_batch([(path, None)], md5=True) == [(xxh3, md5, len(data), None)]
    assert hash_batch([(path, None)], md5=False) == [(xxh3, None, len(data), None)]
    assert digest_of(data, md5=True).md5 == md5
    assert digest_of(data).xxh3 == xxh3


@pytest.mark.parametrize(
    ("copy", "same"),
    [
        (b"abc", True),
        (b"abd", False),
        (b"ab", False),
        (b"abcd", False),
        (b"", False),
        (None, False),
    ],
)
def test_a_copy_is_compared_byte_by_byte(tmp_path: Path, copy: bytes | None, same: bool) -> None:
    """Shorter, longer, absent and different copies are all seen."""
    (tmp_path / "source").write_bytes(b"abc")
    if copy is not None:
        (tmp_path / "copy").write_bytes(copy)
    answer = hash_batch([(str(tmp_path / "source"), str(tmp_path / "copy"))], md5=False)[0]
    assert answer[3] is same


def test_a_link_is_never_the_same_as_its_target(tmp_path: Path) -> None:
    """What ``--link`` has left is replaced by a copy."""
    (tmp_path / "source").write_bytes(b"abc")
    (tmp_path / "link").symlink_to(tmp_path / "source")
    answer = hash_batch([(str(tmp_path / "source"), str(tmp_path / "link"))], md5=False)[0]
    assert answer[3] is False


def test_what_cannot_be_read_is_an_answer(tmp_path: Path) -> None:
    """A file that has vanished, and a folder: one sentence each, the others go on."""
    (tmp_path / "good").write_bytes(b"x")
    paths = [str(tmp_path / "gone"), str(tmp_path), str(tmp_path / "good")]
    gone, folder, good = hash_batch([(path, None) for path in paths], md5=False)
    assert (gone, folder) == ("No such file or directory", "Is a directory")
    assert isinstance(good, tuple)


@pytest.mark.parametrize(
    ("version", "texts", "expected"),
    [
        (2, ["150000 100000"], 2),
        (2, ["50000 100000"], 1),
        (2, ["900000 100000"], 4),
        (2, ["max 100000"], 4),
        (1, ["200000\n", "100000\n"], 2),
        (1, ["-1", "100000"], 4),
        (1, ["odd", "100000"], 4),
    ],
)
def test_a_cgroups_quota_is_a_number_of_cpus(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    version: int,
    texts: list[str],
    expected: int,
) -> None:
    """Rounded up, in either version of cgroups; without one, all that there are: four here."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    files = [tmp_path / str(number) for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    absent = (str(tmp_path / "absent"),)
    found = tuple(str(file) for file in files)
    monkeypatch.setattr(pool, "QUOTAS", (found, absent) if version == 2 else (absent, found))
    assert cpus() == expected


def test_cpus_are_at_least_one() -> None:
    """And at most what the machine has."""
    assert 1 <= cpus() <= (os.cpu_count() or 1)


@pytest.mark.usefixtures("two_cpus")
def test_at_once_waits_for_the_thread_that_manages_the_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Python wakes it when the program ends: if it is ending just then, a traceback is shown."""
    monkeypatch.setattr(pool, "PATIENCE", 60)
    hashing = HashPool(MANY, 0, print)
    hashing.run(os.getpid).result(60)
    manager = hashing._executor._executor_manager_thread  # type: ignore[attr-defined]  # private
    hashing.run(time.sleep, 100)
    hashing.close(at_once=True)
    assert not manager.is_alive()
