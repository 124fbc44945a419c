"""Running a program and taking its time, CPU and memory."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Usage:
    """What one run took. ``cpu``: user and system seconds of it and its children.

    ``memory``: peak MiB of its largest process. ``error``: the last line it printed if it failed.
    """

    wall: float
    cpu: float
    memory: float
    error: str = ""


def run(
    command: Sequence[str], env: Mapping[str, str], folder: Path, timeout: float = 3600
) -> Usage:
    """Run ``command`` to its end, or for ``timeout`` seconds."""
    with tempfile.TemporaryFile() as said:
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
            cpu=usage.ru_utime + usage.ru_stime,
            memory=usage.ru_maxrss * unit / MIB,
            error=_last_line(said.fileno(), code) if code else "",
        )


def _last_line(descriptor: int, code: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    lines = os.read(descriptor, 16 * MIB).decode(errors="replace").strip().splitlines()
    return f"exit status {code}: {lines[-1] if lines else 'nothing said'}"
