"""Running a program and taking its time, CPU and memory."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

MIB = 1024 * 1024
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
_LINGER = 5.0


@dataclass(frozen=True, slots=True)
class Usage:
    """What one run took. ``cpu``: user and system seconds of it and all its descendants.

    ``memory``: peak MiB of the program itself, or of a child that it waited for. ``error``: the
    last line it printed if it failed.
    """

    wall: float
    cpu: float
    memory: float
    error: str = ""


def run(
    command: Sequence[str], env: Mapping[str, str], folder: Path, timeout: float = 3600
) -> Usage:
    """Run ``command`` to its end, or for ``timeout`` seconds."""
    with tempfile.TemporaryFile() as said, _adopting_orphans():
        begin = time.perf_counter()
        process = subprocess.Popen(
            command, env=dict(env), cwd=folder, stdin=subprocess.DEVNULL,
            stdout=said, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        alarm = threading.Timer(timeout, os.killpg, (process.pid, signal.SIGKILL))
        alarm.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            alarm.cancel()
        wall = time.perf_counter() - begin
        code = os.waitstatus_to_exitcode(status)
        process.returncode = code  # so that Popen does not wait for it again
        unit = 1 if os.uname().sysname == "Darwin" else 1024
        return Usage(
            wall=wall,
            cpu=usage.ru_utime + usage.ru_stime + _cpu_of_orphans(process.pid),
            memory=usage.ru_maxrss * unit / MIB,
            error=_last_line(said.fileno(), code) if code else "",
        )


@contextlib.contextmanager
def _adopting_orphans() -> Iterator[None]:
    """Let what a program leaves behind become our children, so that its CPU can be counted.

    Its worker processes may end after it, unseen by it. Only Linux can do that.
    """
    linux = os.uname().sysname == "Linux"
    if linux:
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        if linux:
            ctypes.CDLL(None).prctl(_SUBREAPER, 0, 0, 0, 0)


def _cpu_of_orphans(group: int) -> float:
    """User and system seconds of those that the program left in its process group, once ended."""
    total = 0.0
    end = time.monotonic() + _LINGER
    while time.monotonic() < end:
        try:
            pid, _, usage = os.wait4(-group, os.WNOHANG)
        except ChildProcessError:
            break
        if pid:
            total += usage.ru_utime + usage.ru_stime
        else:
            time.sleep(0.01)
    return total


def _last_line(descriptor: int, code: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    lines = os.read(descriptor, 16 * MIB).decode(errors="replace").strip().splitlines()
    return f"exit status {code}: {lines[-1] if lines else 'nothing said'}"
