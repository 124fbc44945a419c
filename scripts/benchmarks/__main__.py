"""Time this project and its rivals, side by side in one run.

Every runner does the same works from the same state: cold (everything is new), warm (nothing has
changed), edit (one file was edited). Turns are interleaved and medians printed. Rivals live in
environments of their own, made at first use; trees of unmodified packages are fetched with npm.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.benchmarks import records, runners, startup, table, turns
from scripts.benchmarks.corpora import PACKAGES, BenchError, build
from scripts.benchmarks.floors import measure_floor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scripts.benchmarks.records import Floor, Record

CACHE = runners.ROOT / ".cache"
EXAMPLES = """examples:
  scripts/bench                                          the small tree, everybody, S3 at 25 ms
  scripts/bench --corpus medium,large --runner ours,s5cmd --turns 3 --json results.json
  scripts/bench --corpus large --storage disk --runner ours,stock --work warm
  scripts/bench --corpus 1000,10000,56000,200000 --runner ours --json growth.json
  scripts/bench --from results.json growth.json --plot bench.svg
"""


def several(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """A reader of names with commas between them, each one of ``known``."""

    def read(text: str) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(name for name in text.split(",") if name))
        for name in names:
            if name not in known and not ("a number" in known and name.isdecimal() and int(name)):
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return names

    return read


def numbers(text: str) -> tuple[float, ...]:
    """Numbers with commas between them, none below 0."""
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = (-1.0,)
    if min(found) < 0:
        raise argparse.ArgumentTypeError(f"{text!r}: numbers from 0 up, with commas between them")
    return found


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(
        prog="scripts/bench",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    sizes = several([*PACKAGES, "a number"])
    add("--corpus", type=sizes, default=("small",), help="small, medium, large, a number of files")
    who = several(list(runners.RUNNERS))
    add("--runner", type=who, default=tuple(runners.RUNNERS), help=", ".join(runners.RUNNERS))
    works = several(turns.WORKS)
    add("--work", type=works, default=turns.WORKS[:2], help="cold, warm, edit (cold,warm)")
    where = several(runners.STORAGES)
    add("--storage", type=where, default=("s3",), help=f"{', '.join(runners.STORAGES)} (s3)")
    add("--latency", type=numbers, default=(25.0,), help="ms before each answer of S3 (25)")
    add("--bandwidth", type=numbers, default=(0.0,), help="Mbit/s that all share (0: no limit)")
    add("--turns", type=int, default=1, help="how often each runner does its works (1)")
    add("--timeout", type=float, default=1800.0, help="seconds that one run may take (1800)")
    add("--json", type=Path, metavar="FILE", help="write the results to this file")
    add("--from", type=Path, nargs="+", dest="sources", default=[], metavar="FILE",
        help="run nothing; read results of earlier runs")  # fmt: skip
    add("--plot", type=Path, metavar="FILE", help="draw the results; FILE ends in .svg")
    add("--markdown", action="store_true", help="print the tables as Markdown")
    add("--startup", action="store_true", help="only: what the command imports, and its time")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; returns the exit status."""
    chosen = parser().parse_args(arguments)
    try:
        return _main(chosen)
    except (BenchError, OSError, ValueError) as error:
        print(f"scripts/bench: {error}", file=sys.stderr)
    except subprocess.SubprocessError as error:
        print(f"scripts/bench: a server could not be prepared: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("scripts/bench: interrupted", file=sys.stderr)
        return 130
    return 1


def _main(chosen: argparse.Namespace) -> int:
    if chosen.startup:
        print(startup.measure(CACHE))
        return 0
    found, floors = _load(chosen.sources) if chosen.sources else _run(chosen)
    if chosen.json:
        records.save(chosen.json, found, floors)
    results = records.summarise(found)
    print(table.render(results, floors, markdown=chosen.markdown))
    if chosen.plot:
        from scripts.benchmarks import plot  # matplotlib is large, and children count its memory

        plot.draw(results, floors, chosen.plot)
    return 1 if any(result.problem for result in results) else 0


def _load(sources: Sequence[Path]) -> tuple[list[Record], list[Floor]]:
    found: list[Record] = []
    floors: list[Floor] = []
    for path in sources:
        more, below = records.load(path)
        found += more
        floors += below
    return found, floors


def _run(chosen: argparse.Namespace) -> tuple[list[Record], list[Floor]]:
    busy = os.getloadavg()[0]
    if busy > (os.cpu_count() or 1) / 2:
        print(f"The machine is busy (load {busy:.1f}): times will be too long.", file=sys.stderr)
    found: list[Record] = []
    floors: list[Floor] = []
    trees = [build(name, CACHE / "corpora") for name in chosen.corpus]
    plans = [
        turns.Plan(
            storage, chosen.runner, chosen.work, chosen.turns, latency, bandwidth, chosen.timeout
        )
        for storage, latency, bandwidth in product(chosen.storage, chosen.latency, chosen.bandwidth)
    ]
    (CACHE / "bench").mkdir(parents=True, exist_ok=True)
    # What the disk runs wrote is removed only in the end: ext4 is several times as slow at
    # creating many files soon after many were deleted.
    with tempfile.TemporaryDirectory(prefix="run-", dir=CACHE / "bench") as folder:
        for number, (tree, plan) in enumerate(product(trees, plans)):
            work = Path(folder) / str(number)
            comparison = turns.Comparison(tree, plan, work, CACHE / "venvs")
            floors.append(measure_floor(comparison.setting, tree.folder))
            for turn in range(plan.turns):
                found += comparison.turn(turn)
                if chosen.json:
                    records.save(chosen.json, found, floors)  # a long run may be cut short
    return found, floors


if __name__ == "__main__":
    sys.exit(main())
