"""Four runs at once against one bucket and one memcached, as four machines of a CI would."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.benchmarks import control
from scripts.soaking.steady import Site

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

RUNS = 4
SECONDS = 300


def soak(rounds: int, files: int, dice: random.Random, say: Callable[[str], None]) -> None:
    """Raises ``AssertionError`` where a run fails or the bucket is wrong."""
    from tests.conftest import pytest_configure

    pytest_configure()
    from tests import servers, support

    with (
        tempfile.TemporaryDirectory() as folder,
        control.running("--latency", "2") as store,
        servers.serve_memcached() as memcached,
    ):
        site = Site(Path(folder), store.url, memcached.address, files)
        project = support.write_project(Path(folder) / "project", site.settings)
        for number in range(1, rounds + 1):
            site.edit(dice)
            uploads = at_once(project)
            site.check(list(site.tree))
            again = site.collect()
            assert "\n0 static files copied" in f"\n{again}", again
            say(f"round {number} of {rounds}: {RUNS} runs at once, copied {uploads}")


def at_once(project: Path) -> list[str]:
    """How many files each of the runs has copied."""
    from tests import support

    running = [
        subprocess.Popen(
            support.command_line(),
            cwd=project,
            env=support.command_env(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(RUNS)
    ]
    copied = []
    try:
        for process in running:
            output, _ = process.communicate(timeout=SECONDS)
            assert process.returncode == 0, output
            copied.append(output.strip().split()[0])
    finally:
        for process in running:
            process.kill()
            process.wait()
    return copied
