"""Google-like and Azure-like worlds: see :mod:`tests.model.clouds`."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field
from typing import Any, ClassVar

from google.auth.credentials import AnonymousCredentials
from google.cloud.storage.retry import DEFAULT_RETRY

from collectfasta.strategies.azure import AzureBlobStrategy
from collectfasta.strategies.azureblob import container
from collectfasta.strategies.gcloud import GoogleCloudStrategy
from collectfasta.strategies.google import bucket
from tests import servers
from tests.model import clouds
from tests.model.worlds import LOCATION, Object, Setup, World
from tests.places import AZURE, GCS
from tests.strategies.service import serve
from tests.support import static_storages

EMULATOR = "STORAGE_EMULATOR_HOST"
LARGE = 5000
"""Bytes from which on files are sent in parts."""


@dataclass
class CloudWorld(World):
    """A cloud on HTTP, and strategies that try again soon."""

    cloud: clouds.Cloud = field(default_factory=clouds.Google)
    etag_shows_headers: ClassVar[bool] = True
    strategy: ClassVar[Any] = GoogleCloudStrategy

    def __post_init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self.url = self._stack.enter_context(serve(self.cloud.answer)).url
        opened = self.strategy.open

        def small(strategy: Any, threads: int) -> None:
            opened(strategy, threads)
            strategy.large = LARGE

        self.replace(self.strategy, "open", small)

    def replace(self, owner: Any, name: str, value: Any) -> None:
        """Until this world is closed."""
        self._stack.callback(setattr, owner, name, getattr(owner, name))
        setattr(owner, name, value)

    def objects(self) -> dict[str, Object]:
        return {
            key: (blob.body, tuple(sorted(blob.headers.items())))
            for key, blob in self.cloud.blobs.items()
        }

    def put(self, key: str, body: bytes, headers: dict[str, str]) -> None:
        self.cloud.write(key, body, headers)

    def delete(self, key: str) -> None:
        del self.cloud.blobs[key]

    def fault(self, glob: str, kind: str) -> None:
        self.cloud.faults[glob] = kind

    def calm(self) -> None:
        super().calm()
        self.cloud.faults.clear()
        self.cloud.struck.clear()

    def settle(self) -> None:
        end = time.monotonic() + 30
        while self.cloud.busy:
            assert time.monotonic() < end
            time.sleep(0.001)
        self.struck = set(self.cloud.struck)

    def close(self) -> None:
        self._stack.close()


@dataclass
class Google(CloudWorld):
    """Google Cloud Storage."""

    def __post_init__(self) -> None:
        super().__post_init__()
        before = os.environ.get(EMULATOR)
        os.environ[EMULATOR] = self.url
        self._stack.callback(self._forget, before)
        self.replace(bucket, "DEFAULT_RETRY", DEFAULT_RETRY.with_delay(initial=0.02))

    @staticmethod
    def _forget(before: str | None) -> None:
        os.environ.pop(EMULATOR)
        if before is not None:
            os.environ[EMULATOR] = before

    def storages(self, setup: Setup) -> dict[str, Any]:
        options: dict[str, Any] = {
            "bucket_name": "static",
            "project_id": "test",
            "credentials": AnonymousCredentials(),
            "location": LOCATION,
            "gzip": setup.gzip,
            "querystring_auth": False,
        }
        if setup.cache_control:
            options["object_parameters"] = {"cache_control": setup.cache_control}
        manifest = "tests.model.storages.GoogleManifestStorage"
        return static_storages(manifest if setup.manifest else GCS, options)


@dataclass
class Azure(CloudWorld):
    """Azure Blob Storage; it has no gzip."""

    cloud: clouds.Cloud = field(default_factory=clouds.Azure)
    has_gzip: ClassVar[bool] = False
    strategy: ClassVar[Any] = AzureBlobStrategy

    def __post_init__(self) -> None:
        super().__post_init__()
        at_once = {"initial_backoff": 0.02, "increment_base": 0, "random_jitter_range": 0.01}
        self.replace(container, "_HURRY", at_once)

    def storages(self, setup: Setup) -> dict[str, Any]:
        account, key = servers.AZURE_ACCOUNT, servers.AZURE_KEY
        connection = f"BlobEndpoint={self.url}/{account};AccountName={account};AccountKey={key}"
        options: dict[str, Any] = {
            "connection_string": connection,
            "azure_container": "static",
            "location": LOCATION,
        }
        if setup.cache_control:
            options["object_parameters"] = {"cache_control": setup.cache_control}
        manifest = "tests.model.storages.AzureManifestStorage"
        return static_storages(manifest if setup.manifest else AZURE, options)
