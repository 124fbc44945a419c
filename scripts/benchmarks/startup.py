"""Where the command's start goes: what it imports, and how long that takes."""

from __future__ import annotations

import subprocess
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.benchmarks import control, runners

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Import:
    """A module's import: milliseconds of its own, and with all that it imports."""

    module: str
    own: float
    whole: float


def read(lines: Iterable[str]) -> list[Import]:
    """Take the lines of ``-X importtime`` out of what a program printed."""
    found = []
    for line in lines:
        if not line.startswith("import time:") or "|" not in line:
            continue
        own, whole, module = line.removeprefix("import time:").split("|")
        if own.strip().isdecimal():
            found.append(Import(module.strip(), int(own) / 1000, int(whole) / 1000))
    return found


def report(imports: Sequence[Import], top: int = 15) -> str:
    """The slowest packages, all their modules together, and the slowest modules."""
    packages: dict[str, float] = defaultdict(float)
    for one in imports:
        packages[one.module.partition(".")[0]] += one.own
    by_time = sorted(packages.items(), key=lambda item: item[1], reverse=True)
    total = sum(one.own for one in imports)
    lines = [f"{len(imports)} modules, {total:.0f} ms of imports", "", "by package, ms"]
    lines += [f"  {own:8.1f}  {name}" for name, own in by_time[:top]]
    lines += ["", "by module, with all that it imports, ms"]
    slowest = sorted(imports, key=lambda one: one.whole, reverse=True)[:top]
    lines += [f"  {one.whole:8.1f}  {one.module}" for one in slowest]
    return "\n".join(lines)


def trace(command: Sequence[str], env: Mapping[str, str], folder: Path) -> list[Import]:
    """Run a Python command line once more, counting its imports."""
    python, *rest = command
    done = subprocess.run(
        [python, "-X", "importtime", *rest],
        env=dict(env), cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return read(done.stderr.splitlines())


def measure(cache: Path) -> str:
    """The report of a run to S3 that finds nothing but Django's admin."""
    cache.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=cache) as folder,
        control.running("--latency", "0") as store,
    ):
        work = Path(folder)
        scene = runners.Scene(work, (), work, work / "static", "s3", store.url, "")
        scene.prepare()
        env = runners.environment("ours", scene)
        return report(trace(runners.command("ours", scene, cache / "venvs"), env, work))
