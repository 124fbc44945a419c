"""Taking turns: every runner does the same works from the same state, one after the other."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.benchmarks import places, runners
from scripts.benchmarks.corpora import BenchError, is_collected, link_tree, walk
from scripts.benchmarks.measure import Usage, run
from scripts.benchmarks.records import Record, Setting
from tests import servers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.benchmarks.corpora import Corpus

WORKS = ("cold", "warm", "edit")
EDITED = "bench-edited.css"
_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Plan:
    """What shall be timed on one tree and storage. ``latency`` in ms, ``bandwidth`` in Mbit/s."""

    storage: str
    runners: tuple[str, ...]
    works: tuple[str, ...]
    turns: int
    latency: float
    bandwidth: float
    timeout: float


class Comparison:
    """One plan over one corpus, in a work folder that the caller removes in the end."""

    def __init__(self, corpus: Corpus, plan: Plan, work: Path, venvs: Path) -> None:
        """Lays out the project, and the collected folder if somebody needs it."""
        self.plan = plan
        self.venvs = venvs
        self.runners = runners.check(plan.runners, plan.storage, venvs)
        admin = admin_files()
        extra = work / "extra"
        extra.mkdir(parents=True)
        self.scene = runners.Scene(
            work=work,
            dirs=(extra, corpus.folder),
            collected=work / "collected",
            root=work / "static",
            storage=plan.storage,
            endpoint="",
            memcached="",
        )
        self.scene.prepare()
        if {"aws", "s5cmd"} & set(self.runners):
            for source in (corpus.folder, admin):
                link_tree(source, self.scene.collected)
        own = [entry.stat().st_size for entry in walk(admin) if is_collected(entry.name)]
        self.setting = Setting(
            corpus=corpus.name,
            files=corpus.files + len(own) + 1,
            size=corpus.size + sum(own),
            storage=plan.storage,
            latency=plan.latency if plan.storage.startswith("s3") else 0,
            bandwidth=plan.bandwidth if plan.storage.startswith("s3") else 0,
        )

    def turn(self, number: int) -> list[Record]:
        """All runners once, in an order that moves on from turn to turn."""
        first = number % len(self.runners)
        records: list[Record] = []
        for runner in [*self.runners[first:], *self.runners[:first]]:
            records += self._runner(runner, number)
        return records

    def _runner(self, runner: str, turn: int) -> list[Record]:
        root = self.scene.work / f"static-{turn}-{runner}"
        works = WORKS[: 1 + max(WORKS.index(work) for work in self.plan.works)]
        records: list[Record] = []
        self._write("body { color: red }\n", time.time() - _HOUR)
        with places.opened(self.plan.storage, root) as place, memcached() as address:
            scene = replace(
                self.scene,
                root=root,
                endpoint=place.endpoint,
                memcached=address,
            )
            for work in works:
                timed = work in self.plan.works
                if work == "edit":
                    self._write(f"body {{ color: green }} /* {turn} */\n", time.time())
                record = self._work(runner, work, scene, place, timed=timed)
                if not timed and record.error:
                    raise BenchError(f"{runner} could not prepare {work}: {record.error}")
                if timed:
                    records.append(replace(record, turn=turn))
                    _tell(record)
        return records

    def _work(
        self, runner: str, work: str, scene: runners.Scene, place: places.Place, *, timed: bool
    ) -> Record:
        place.pace(self.setting.latency if timed else 0, self.setting.bandwidth if timed else 0)
        os.sync()
        command = runners.command(runner, scene, self.venvs)
        usage: Usage = run(
            command, runners.environment(runner, scene), scene.work, self.plan.timeout
        )
        expected = self.setting.files
        if "manifest" in self.plan.storage:
            expected = 2 * expected + 1
        return Record(
            setting=self.setting,
            runner=runner,
            work=work,
            turn=0,
            wall=usage.wall,
            cpu=usage.cpu,
            memory=usage.memory,
            requests=place.requests(),
            missing=place.missing(expected),
            error=usage.error,
        )

    def _write(self, text: str, modified: float) -> None:
        for folder in (self.scene.dirs[0], self.scene.collected):
            if folder.exists():
                path = folder / EDITED
                path.write_text(text)
                os.utime(path, (modified, modified))


@contextlib.contextmanager
def memcached() -> Iterator[str]:
    """The address of a new memcached; empty where there is none."""
    with contextlib.ExitStack() as stack:
        try:
            address = stack.enter_context(servers.serve_memcached()).address
        except servers.Unavailable as error:
            print(f"Going on without memcached: {error}", file=sys.stderr)
            address = ""
        yield address


def admin_files() -> Path:
    """The folder of the static files of Django's admin."""
    spec = importlib.util.find_spec("django")
    if spec is None or spec.origin is None:
        raise BenchError("Django is missing: scripts/bench installs it.")
    return Path(spec.origin).parent / "contrib" / "admin" / "static"


def _tell(record: Record) -> None:
    text = f"  {record.setting.corpus} {record.setting.storage} {record.work:5}"
    text += f" {record.runner:12} {record.wall:7.2f} s"
    print(text, record.error or "", file=sys.stderr, flush=True)
