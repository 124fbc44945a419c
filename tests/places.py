"""Buckets, containers and folders as tests see them: filled, emptied, read back.

Every place has the same few methods, so that one test can run on all of them:
``storages(location, **options)`` is a STORAGES setting, ``objects()`` maps full keys to bytes as
they are stored (gzipped, if they are), ``headers(key)`` gives ``content-type``,
``content-encoding`` and ``cache-control``, ``tokens()`` maps keys to what changes with every write,
``put`` writes as a foreign tool would, ``delete`` removes, ``another()`` is a second, empty place
on the same server.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from tests import servers
from tests.local_places import files_in, fresh
from tests.support import static_storages

if TYPE_CHECKING:
    from pathlib import Path

S3_STATIC = "storages.backends.s3.S3StaticStorage"
GCS = "storages.backends.gcloud.GoogleCloudStorage"
AZURE = "storages.backends.azure_storage.AzureStorage"


@dataclass(slots=True)
class S3Bucket:
    """A bucket on a server that speaks S3."""

    endpoint: str
    name: str
    client: Any = field(default=None, repr=False)
    folder: Path | None = None
    """Where the server keeps its buckets, if that is on disk."""

    @classmethod
    def new(cls, endpoint: str, folder: Path | None = None) -> Self:
        import boto3
        from botocore.config import Config

        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=servers.S3_KEY,
            aws_secret_access_key=servers.S3_SECRET,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
        )
        return cls(endpoint, "", client, folder).another()

    def another(self) -> Self:
        place = type(self)(self.endpoint, fresh(), self.client, self.folder)
        self.client.create_bucket(Bucket=place.name)
        if self.folder is None:  # so that each write has a version, and can be told from the last
            self.client.put_bucket_versioning(
                Bucket=place.name, VersioningConfiguration={"Status": "Enabled"}
            )
        return place

    def options(self, location: str = "", **more: Any) -> dict[str, Any]:
        """OPTIONS of django-storages' S3 classes; plain values, fit for a settings file."""
        return {
            "bucket_name": self.name,
            "endpoint_url": self.endpoint,
            "access_key": servers.S3_KEY,
            "secret_key": servers.S3_SECRET,
            "region_name": "us-east-1",
            "addressing_style": "path",
            "location": location,
            **more,
        }

    def storages(self, location: str = "", backend: str = S3_STATIC, **more: Any) -> dict[str, Any]:
        return static_storages(backend, self.options(location, **more))

    def _listing(self) -> list[dict[str, Any]]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return [entry for page in pages for entry in page.get("Contents", [])]

    def keys(self) -> list[str]:
        return sorted(entry["Key"] for entry in self._listing())

    def read(self, key: str) -> bytes:
        body: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return body

    def objects(self) -> dict[str, bytes]:
        return {key: self.read(key) for key in self.keys()}

    def headers(self, key: str) -> dict[str, str]:
        head = self.client.head_object(Bucket=self.name, Key=key)
        names = {
            "ContentType": "content-type",
            "ContentEncoding": "content-encoding",
            "CacheControl": "cache-control",
        }
        return {to: head[name] for name, to in names.items() if head.get(name)}

    def tokens(self) -> dict[str, str]:
        if self.folder is not None:  # its listing shows times in seconds, which is too coarse
            return files_in(self.folder / self.name, lambda path: str(path.stat().st_ctime_ns))
        pages = self.client.get_paginator("list_object_versions").paginate(Bucket=self.name)
        versions = [version for page in pages for version in page.get("Versions", [])]
        return {each["Key"]: each["VersionId"] for each in versions if each["IsLatest"]}

    def put(self, key: str, body: bytes, **more: Any) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=body, **more)

    def delete(self, *keys: str) -> None:
        for key in keys:
            self.client.delete_object(Bucket=self.name, Key=key)


@dataclass(slots=True)
class GcsBucket:
    """A bucket on an emulator of Google Cloud Storage. STORAGE_EMULATOR_HOST must name it."""

    endpoint: str
    name: str
    client: Any = field(repr=False)

    @classmethod
    def new(cls, endpoint: str) -> Self:
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

        client = storage.Client(
            project="test",
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": endpoint},
        )
        place = cls(endpoint, fresh(), client)
        client.create_bucket(place.name)
        return place

    def another(self) -> Self:
        place = type(self)(self.endpoint, fresh(), self.client)
        self.client.create_bucket(place.name)
        return place

    def options(self, location: str = "", **more: Any) -> dict[str, Any]:
        from google.auth.credentials import AnonymousCredentials

        return {
            "bucket_name": self.name,
            "project_id": "test",
            "credentials": AnonymousCredentials(),
            "location": location,
            **more,
        }

    def storages(self, location: str = "", backend: str = GCS, **more: Any) -> dict[str, Any]:
        return static_storages(backend, self.options(location, **more))

    def _blob(self, key: str) -> Any:
        return self.client.bucket(self.name).blob(key)

    def keys(self) -> list[str]:
        return sorted(blob.name for blob in self.client.list_blobs(self.name))

    def read(self, key: str) -> bytes:
        body: bytes = self._blob(key).download_as_bytes(raw_download=True, checksum=None)
        return body

    def objects(self) -> dict[str, bytes]:
        return {key: self.read(key) for key in self.keys()}

    def headers(self, key: str) -> dict[str, str]:
        blob = self.client.bucket(self.name).get_blob(key)
        found = {
            "content-type": blob.content_type,
            "content-encoding": blob.content_encoding,
            "cache-control": blob.cache_control,
        }
        return {name: value for name, value in found.items() if value}

    def tokens(self) -> dict[str, str]:
        blobs = self.client.list_blobs(self.name)
        return {blob.name: f"{blob.generation} {blob.etag} {blob.updated}" for blob in blobs}

    def put(self, key: str, body: bytes, content_type: str = "text/plain") -> None:
        self._blob(key).upload_from_string(body, content_type=content_type)

    def delete(self, *keys: str) -> None:
        for key in keys:
            self._blob(key).delete()


@dataclass(slots=True)
class AzureContainer:
    """A container on Azurite."""

    connection: str = field(repr=False)
    name: str
    client: Any = field(repr=False)

    @classmethod
    def new(cls, connection: str) -> Self:
        from azure.storage.blob import ContainerClient

        name = fresh()
        client = ContainerClient.from_connection_string(connection, name)
        client.create_container()
        return cls(connection, name, client)

    def another(self) -> Self:
        return self.new(self.connection)

    def options(self, location: str = "", **more: Any) -> dict[str, Any]:
        return {
            "connection_string": self.connection,
            "azure_container": self.name,
            "location": location,
            **more,
        }

    def storages(self, location: str = "", backend: str = AZURE, **more: Any) -> dict[str, Any]:
        return static_storages(backend, self.options(location, **more))

    def keys(self) -> list[str]:
        return sorted(self.client.list_blob_names())

    def read(self, key: str) -> bytes:
        body: bytes = self.client.download_blob(key).readall()
        return body

    def objects(self) -> dict[str, bytes]:
        return {key: self.read(key) for key in self.keys()}

    def headers(self, key: str) -> dict[str, str]:
        settings = self.client.get_blob_client(key).get_blob_properties().content_settings
        found = {
            "content-type": settings.content_type,
            "content-encoding": settings.content_encoding,
            "cache-control": settings.cache_control,
        }
        return {name: value for name, value in found.items() if value}

    def tokens(self) -> dict[str, str]:
        return {blob.name: blob.etag for blob in self.client.list_blobs()}

    def put(self, key: str, body: bytes, **more: Any) -> None:
        self.client.upload_blob(key, body, overwrite=True, **more)

    def delete(self, *keys: str) -> None:
        for key in keys:
            self.client.delete_blob(key)
