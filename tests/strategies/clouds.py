"""Google Cloud Storage and Azure Blob Storage as tests of both see them."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import xxhash
from django.utils.module_loading import import_string

from collectfasta.items import Digest, RemoteObject, SourceFile
from collectfasta.strategies.choice import load_strategy
from tests import servers

if TYPE_CHECKING:
    import pytest

    from collectfasta.strategies.listed import ListedStrategy
    from tests.places import AzureContainer, GcsBucket

MIB = 1024 * 1024
CLASSES = {
    "gcs": "storages.backends.gcloud.GoogleCloudStorage",
    "azure": "storages.backends.azure_storage.AzureStorage",
}


@dataclass(slots=True)
class Cloud:
    """One of the two, with an empty place on its emulator."""

    kind: str
    place: GcsBucket | AzureContainer

    def storage(self, location: str = "", mixin: type | None = None, **options: Any) -> Any:
        cls = import_string(CLASSES[self.kind])
        if mixin is not None:
            cls = type("Mine", (mixin, cls), {})
        return cls(**self.place.options(location, **options))

    def closed(self, location: str = "", **options: Any) -> ListedStrategy[Any]:
        strategy: Any = load_strategy(None, self.storage(location, **options))
        return strategy

    def open(self, location: str = "", **options: Any) -> ListedStrategy[Any]:
        strategy = self.closed(location, **options)
        strategy.open(4)
        return strategy


def source(name: str, data: bytes = b"body { color: red }") -> SourceFile:
    return SourceFile("", name, len(data), data)


def digest(file: SourceFile, *, md5: bool = False) -> Digest:
    data = file.data or b""
    found = hashlib.md5(data).digest() if md5 else None
    return Digest(xxhash.xxh3_128_digest(data), found, len(data))


def listing(strategy: ListedStrategy[Any], *names: str) -> dict[str, RemoteObject]:
    return {remote.name: remote for page in strategy.list(sorted(names)) for remote in page}


def content(name: str) -> bytes:
    """Something to store under ``name``; really gzipped where its encoding says so."""
    if name == "empty.txt":
        return b""
    data = f"the contents of {name} ".encode() * 100
    return gzip.compress(data, mtime=0) if name.endswith(("gz", "svgz")) else data


def plain(data: bytes) -> bytes:
    """Azure's client decodes while it downloads, Google's was told not to."""
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


NAMES = ["a.css", "b b/ü#%+?.js", "c/d/e.tar.gz", "plain", "empty.txt", ".well-known/x.json"]


def small_puts(cloud: Cloud) -> dict[str, Any]:
    """Options that make 18 MiB a large file."""
    if cloud.kind == "gcs":
        return {}
    return {
        "connection_string": None,
        "account_name": servers.AZURE_ACCOUNT,
        "account_key": servers.AZURE_KEY,
        "client_options": {"max_single_put_size": MIB, "max_block_size": 8 * MIB},
    }


def reach_azurite(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account URL of its own, since a connection string leaves no room for client options."""
    if cloud.kind == "azure":
        from azure.storage.blob import BlobServiceClient
        from storages.backends.azure_storage import AzureStorage

        place: Any = cloud.place
        base = place.client.url.rsplit("/", 1)[0]

        def client(self: Any) -> Any:
            key = {"account_name": self.account_name, "account_key": self.account_key}
            return BlobServiceClient(base, credential=key, **self.client_options)

        monkeypatch.setattr(AzureStorage, "_get_service_client", client)
