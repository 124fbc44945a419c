"""Where files go in the bench: the fast store, an emulator, or a folder; new for every turn."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.benchmarks import control
from scripts.benchmarks.corpora import BenchError, walk
from tests import servers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAKE_CONTAINER = """
import sys
from azure.storage.blob import BlobServiceClient
BlobServiceClient.from_connection_string(sys.argv[1]).create_container("static")
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A destination. ``endpoint``: its address or connection string; empty for a folder."""

    endpoint: str = ""
    folder: Path | None = None
    store: control.Remote | None = None

    def pace(self, latency: float, bandwidth: float) -> None:
        """Forget what was counted; from now on ``latency`` ms and ``bandwidth`` Mbit/s (0: all)."""
        if self.store is not None:
            rate = bandwidth * 1e6 / 8 if bandwidth else None
            self.store.control(latency=latency / 1000, bandwidth=rate, forget=True)

    def requests(self) -> dict[str, int]:
        """Requests by operation, where they are counted."""
        return {} if self.store is None else dict(self.store.stats()["requests"])

    def missing(self, expected: int) -> int:
        """How many of ``expected`` files are not there; 0 where that is not counted."""
        if self.store is not None:
            found = int(self.store.stats()["objects"])
        elif self.folder is not None:
            found = sum(1 for _ in walk(self.folder)) if self.folder.exists() else 0
        else:
            found = expected
        return max(0, expected - found)


@contextlib.contextmanager
def opened(storage: str, folder: Path) -> Iterator[Place]:
    """A new, empty place for a storage. Raises ``BenchError`` if its server is missing."""
    try:
        if storage.startswith("disk"):
            yield Place(folder=folder)
        elif storage.startswith("s3"):
            with control.running("--latency", "0") as remote:
                yield Place(remote.url, store=remote)
        elif storage == "gcloud":
            with servers.serve_gcs() as server:
                body = json.dumps({"name": "static"}).encode()
                headers = {"Content-Type": "application/json"}
                address = f"{server.url}/storage/v1/b?project=bench"
                request = urllib.request.Request(address, body, headers)
                urllib.request.urlopen(request, timeout=30).close()
                yield Place(server.url)
        else:
            with servers.serve_azurite() as server:
                text = servers.azure_connection_string(server)
                subprocess.run([sys.executable, "-c", _MAKE_CONTAINER, text], check=True)
                yield Place(text)
    except servers.Unavailable as error:
        raise BenchError(str(error)) from error
