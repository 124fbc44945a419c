"""What glibc is told about memory."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from collectfasta.pipeline import memory
from tests.support import ROOT

CODE = """

from collectfasta.pipeline.memory import give_back_memory
print(give_back_memory())
"""


@pytest.mark.parametrize(
    ("environment", "done"),
    [({}, platform.libc_ver()[0] == "glibc"), ({"MALLOC_ARENA_MAX": "2"}, False)],
)
def test_glibc_is_told_unless_the_environment_tells_it(
    environment: dict[str, str], done: bool
) -> None:
    """In a process of its own: it cannot be undone."""
    answer = subprocess.run(
        [sys.executable, "-c", CODE],
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert answer.stdout == f"{done}\n"


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no such function there."""
    monkeypatch.setattr("sys.platform", "darwin")
    assert memory.give_back_memory() is False
