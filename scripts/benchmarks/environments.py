"""The rivals, each in an environment of its own under ``.cache/venvs``, made at first use."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from scripts.benchmarks.corpora import BenchError

if TYPE_CHECKING:
    from pathlib import Path

# What pip installs, by the environment's name.
REQUIREMENTS = {
    "collectfasta": ("collectfasta==3.3.5", "django~=5.2", "django-storages[s3]", "pymemcache"),
    "enhanced": ("django-manifeststaticfiles-enhanced", "django~=5.2"),
    "aws": ("awscli",),
    "s5cmd": ("s5cmd",),
}


def program(environment: str, name: str, venvs: Path) -> Path:
    """The path of a program in an environment, which is made if need be. Raises ``BenchError``."""
    folder = venvs / environment
    found = folder / "bin" / name
    if not (folder / ".ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _make(folder, REQUIREMENTS[environment])
    if not found.exists():
        raise BenchError(f"{environment}: there is no {name} in {folder}.")
    return found


def _make(folder: Path, requirements: tuple[str, ...]) -> None:
    print(f"Making {folder.name}'s environment ...", file=sys.stderr)
    folder.parent.mkdir(parents=True, exist_ok=True)
    base = getattr(sys, "_base_executable", sys.executable)
    _run([base, "-m", "venv", os.fspath(folder)], folder.name)
    pip = [os.fspath(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    _run([*pip, "--disable-pip-version-check", *requirements], folder.name)
    (folder / ".ready").touch()


def _run(command: list[str], name: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        reason = next((line for line in said if line.startswith("ERROR")), said[-1] if said else "")
        raise BenchError(f"{name}: its environment could not be made: {reason}")
