"""Telling a store in another process what to do, and asking it what it saw.

``POST /-/control`` takes a JSON object with any of ``latency`` (seconds), ``bandwidth`` (bytes a
second), ``rate`` (requests a second), ``foreign`` (``[count, [stem, ...]]``), ``errors``
(``[status, probability, seed]``), ``opaque_etags``, and ``forget`` or ``empty`` as true.
``GET /-/stats`` answers with counts.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.benchmarks.bucket import Bucket
from scripts.benchmarks.faults import Fault, Kind, Rule
from scripts.benchmarks.messages import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.benchmarks.store import Store

BUCKET = "-"
ROOT = Path(__file__).resolve().parents[2]


def answer(store: Store, request: Request) -> Answer:
    """Carry out a request to the control bucket."""
    store.counts[request.operation] -= 1
    if request.key == "control":
        apply(store, json.loads(request.body))
    return Answer(200, (("Content-Type", "application/json"),), json.dumps(stats(store)).encode())


def stats(store: Store) -> dict[str, Any]:
    """What the store saw since it last forgot."""
    return {
        "requests": {name: count for name, count in store.counts.items() if count},
        "bytes_in": store.bytes_in,
        "most_in_flight": store.most_in_flight,
        "objects": len(store.objects),
    }


def apply(store: Store, wishes: dict[str, Any]) -> None:
    """Change what is asked for. Raises ``ValueError`` at a name that it does not know."""
    for name, value in wishes.items():
        if name == "latency":
            store.latency = float(value)
        elif name == "bandwidth":
            store.link.rate = value
        elif name == "rate":
            store.turnstile.rate = value
        elif name == "opaque_etags":
            store.opaque_etags = bool(value)
        elif name == "foreign":
            store.pretend(value[0], value[1])
        elif name == "errors":
            status, probability, seed = value
            fault = Fault(Kind.STATUS, status, "SlowDown" if status == 503 else "InternalError")
            store.faults[:] = [Rule(fault, probability=probability, seed=seed)] if status else []
        elif name == "forget":
            store.forget()
        elif name == "empty":
            store.buckets[store.name] = Bucket()
        else:
            raise ValueError(f"the store has no {name}")


@dataclass(frozen=True, slots=True)
class Remote:
    """A store in another process."""

    url: str

    def control(self, **wishes: Any) -> dict[str, Any]:
        """Change it; returns its counts."""
        return self._ask("control", json.dumps(wishes).encode())

    def stats(self) -> dict[str, Any]:
        """What it saw since it last forgot."""
        return self._ask("stats", None)

    def _ask(self, what: str, body: bytes | None) -> dict[str, Any]:
        request = urllib.request.Request(f"{self.url}/{BUCKET}/{what}", data=body)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as reply:
            answered: dict[str, Any] = json.load(reply)
        return answered


@contextlib.contextmanager
def running(*options: str) -> Iterator[Remote]:
    """A store in a process of its own. Raises ``RuntimeError`` if it does not start."""
    command = [sys.executable, "-m", "scripts.benchmarks.store", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True)
    try:
        line = process.stdout.readline().strip() if process.stdout is not None else ""
        if not line:
            raise RuntimeError("the store did not start")
        yield Remote(line)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
