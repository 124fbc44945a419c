"""Ctrl-C and SIGTERM while uploads hang, on every way that files travel."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.test_signals import PATIENCE, SIGNALS, ends_in_time, running, until
from tests.places import AZURE, GCS
from tests.servers import AZURE_ACCOUNT, AZURE_KEY
from tests.strategies.s3.kit import ONLY_SDK
from tests.strategies.service import Answer, Request, serve
from tests.support import static_storages

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.faults.conftest import Site

FILES = 40
OWN_EXISTS = """
from {module} import {name}
class Mine({name}):
    def exists(self, name):
        return super().exists(name)
"""
IN_BLOCKS = """
    def _get_service_client(self):
        from azure.storage.blob import BlobServiceClient as Client
        limits = {"max_single_put_size": 4, "max_block_size": 2}
        return Client.from_connection_string(self.connection_string, **limits)
"""
"""Which the SDK's own threads would send."""
NOTHING = {
    "gcs": Answer(200, b'{"kind": "storage#objects"}', {"Content-Type": "application/json"}),
    "azure": Answer(
        200,
        b'<?xml version="1.0"?><EnumerationResults><Blobs /><NextMarker /></EnumerationResults>',
        {"Content-Type": "application/xml"},
    ),
}
"""An empty listing."""


@dataclass
class Hung:
    """A service that lists nothing and answers no upload before ``over``."""

    kind: str
    uploads: list[Request] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def answer(self, request: Request) -> Answer:
        if request.method == "GET":
            return NOTHING[self.kind]
        self.uploads.append(request)
        self.over.wait(PATIENCE)
        return Answer(500)


@contextlib.contextmanager
def hung(kind: str) -> Iterator[tuple[Hung, str]]:
    service = Hung(kind)
    with serve(service.answer) as server:
        try:
            yield service, server.url
        finally:
            service.over.set()


def own_save(folder: Path, storages: dict[str, Any]) -> None:
    """Have a project in ``folder`` send each file by the ``save`` of a storage of its own."""
    module, _, name = storages["staticfiles"]["BACKEND"].rpartition(".")
    folder.mkdir()
    more = IN_BLOCKS if name == "AzureStorage" else ""
    (folder / "mine.py").write_text(OWN_EXISTS.format(module=module, name=name) + more)
    storages["staticfiles"]["BACKEND"] = "mine.Mine"


def cloud(kind: str, url: str) -> dict[str, Any]:
    if kind == "gcs":
        return static_storages(GCS, {"bucket_name": "static", "project_id": "test"})
    text = (
        f"DefaultEndpointsProtocol=http;AccountName={AZURE_ACCOUNT};AccountKey={AZURE_KEY};"
        f"BlobEndpoint={url}/{AZURE_ACCOUNT};"
    )
    return static_storages(AZURE, {"connection_string": text, "azure_container": "static"})


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("own", [False, True], ids=["fast", "save"])
@pytest.mark.parametrize("kind", ["gcs", "azure"])
def test_google_and_azure(
    kind: str,
    own: bool,
    number: signal.Signals,
    project: Callable[..., Path],
    tree: Callable[..., Path],
) -> None:
    """By their SDKs, and by the storage's own ``save``."""
    source = tree({f"{number}.txt": b"%09d" % number for number in range(FILES)})
    with hung(kind) as (service, url):
        storages = cloud(kind, url)
        if own:
            own_save(source.parent / "project", storages)
        settings = {"STATICFILES_DIRS": [str(source)], "STORAGES": storages}
        with running(project(settings), env={"STORAGE_EMULATOR_HOST": url}) as process:
            until(lambda: len(service.uploads) > 10)
            ends_in_time(process, number)
    assert len(service.uploads) > 10


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("way", ["obstore", "put_object", "save"])
def test_s3(
    way: str,
    number: signal.Signals,
    site: Site,
    project: Callable[..., Path],
    tree: Callable[..., Path],
) -> None:
    """By obstore, by the SDK, and by the storage's own ``save``."""
    source = tree({f"{number}.txt": b"%d" % number for number in range(FILES)})
    site.store.hang("PutObject", seconds=PATIENCE)
    settings = {k: v for k, v in site.settings.items() if k != "COLLECTFASTA_THREADS"}
    if way == "save":
        own_save(source.parent / "project", settings["STORAGES"])
    env = {ONLY_SDK: "false"} if way == "put_object" else {}
    with running(project(settings), env=env) as process:
        site.store.wait_for(lambda store: store.counts["PutObject"] > 10, PATIENCE)
        ends_in_time(process, number)
    assert site.published() == {}
