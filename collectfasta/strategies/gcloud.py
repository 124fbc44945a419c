"""Google Cloud Storage through django-storages' ``GoogleCloudStorage`` and its subclasses.

One POST per file: no look at the object's metadata first, as the storage's own ``save`` takes, and
no resumable session for gzipped files. The client, its credentials and its retries are the
storage's own. The listing shows MD5s and headers, so that nothing is looked up by itself.
"""

from __future__ import annotations

import base64
import io
import mimetypes
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import google_crc32c
from storages.backends.gcloud import GoogleCloudStorage

from collectfasta.exceptions import DestinationError, ListingForbidden, UploadError
from collectfasta.strategies.bodies import other_gzip
from collectfasta.strategies.crawl import crawl
from collectfasta.strategies.google import objects
from collectfasta.strategies.google.bucket import Bucket
from collectfasta.strategies.google.errors import ERRORS, Translator, status
from collectfasta.strategies.google.gzips import GzipReader
from collectfasta.strategies.google.parts import PartsFile
from collectfasta.strategies.judge import DAMAGED
from collectfasta.strategies.listed import ListedStrategy, Shown
from collectfasta.strategies.naming import bytes_of
from collectfasta.strategies.objects import MIB, Headers
from collectfasta.strategies.ranges import Listed, Ranges

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import BinaryIO

    from google.cloud.storage import Blob

    from collectfasta.items import Digest, RemoteObject, SourceFile
    from collectfasta.strategies.bodies import Body, Stream
    from collectfasta.strategies.ownsave import OwnSave

CHUNK = 8 * MIB
"""Bytes of a large file that are sent at a time."""

_STEP = 256 * 1024
"""The service wants chunks in multiples of this."""


class GoogleCloudStrategy(ListedStrategy[GoogleCloudStorage]):
    """See the module. Etags are generation and metageneration, so that an edit of the headers by
    others is seen too."""

    kind = "gcs"
    library = GoogleCloudStorage
    hooks = (
        "save",
        "_save",
        "get_available_name",
        "exists",
        "bucket",
        "client",
        "_compress_content",
    )
    in_a_run: ClassVar[Mapping[str, Any]] = {"file_overwrite": True}
    batch = 100
    large = CHUNK + 1  # the storage, too, sends up to 8 MiB in one request

    def __init__(self, remote_storage: GoogleCloudStorage) -> None:
        super().__init__(remote_storage)
        self._endpoint = self._find_endpoint()
        self._translate = Translator(str(self.remote_storage.bucket_name), self._endpoint)

    def _find_endpoint(self) -> str:
        """Where requests go, found without making a client, which may have to look for credentials,
        unless there is one or only the user's own code knows how it is made."""
        storage: Any = self.remote_storage
        client = storage.client if self.overridden("client") else storage._client
        if client is not None:
            return str(client.api_endpoint)
        return os.environ.get("STORAGE_EMULATOR_HOST") or "https://storage.googleapis.com"

    def identity(self) -> str:
        return f"{self.kind} {self._endpoint} {self.remote_storage.bucket_name} {self.prefix}"

    def unfit(self, name: str, key: str) -> str:  # noqa: ARG002 - here the key tells it all
        if not key:
            return "is empty"
        if bytes_of(key) > 1024:
            return "is longer than the 1,024 bytes that Google Cloud Storage allows"
        if "\r" in key or "\n" in key:
            return "holds a line break, which Google Cloud Storage does not allow"
        if key.startswith(".well-known/acme-challenge/"):
            return "begins with .well-known/acme-challenge/, which Google Cloud Storage reserves"
        return ""

    # -- headers --------------------------------------------------------------------------------

    def make_headers(self, name: str) -> Headers:
        storage: Any = self.remote_storage
        key = self.key(name)
        params = dict(storage.get_object_parameters(key))
        guessed, encoding = mimetypes.guess_type(key)
        if encoding and "content_encoding" not in params:
            params["content_encoding"] = encoding
        params.setdefault("content_type", guessed)
        params.setdefault("acl", storage.default_acl)
        gzip = bool(
            storage.gzip
            and params["content_type"] in storage.gzip_content_types
            and "content_encoding" not in params
        )
        if gzip:
            params["content_encoding"] = "gzip"
        return Headers.of(params, gzip=gzip)

    def expected(self, headers: Headers) -> Shown:
        return objects.expected(headers.params)

    def compress(self, source: BinaryIO) -> BinaryIO:
        if isinstance(source, io.BytesIO):
            return self.remote_storage._compress_content(source)
        return GzipReader(source)  # type: ignore[return-value]  # RawIOBase reads as BinaryIO does

    # -- looking --------------------------------------------------------------------------------

    def open(self, threads: int) -> None:
        if not self.remote_storage.bucket_name:
            raise DestinationError("Google Cloud Storage: GS_BUCKET_NAME is not set.")
        try:
            self._bucket = Bucket(self.remote_storage, threads)
        except ERRORS as error:
            self._fail(error)
        except (ValueError, OSError) as error:  # no project, or unusable credentials
            why = str(error).partition("\n")[0]
            raise DestinationError(f"Google Cloud Storage: no client: {why}") from error
        super().open(threads)

    def list(self, names: Sequence[str]) -> Iterator[Iterable[RemoteObject]]:
        wanted = self.wanted(names)

        def fetch(start: str, end: str, limit: int, token: str) -> Listed:
            pages = self._bucket.pages(
                self.prefix,
                objects.FIELDS,
                start_offset=start,
                end_offset=end,
                page_size=limit,
                page_token=token or None,
            )
            found = [(blob.name, blob) for blob in next(pages.pages)]
            return Listed(
                [self._seen(wanted[key], blob) for key, blob in found if key in wanted],
                len(found),
                found[-1][0] if found else "",
                pages.next_page_token or "",
            )

        with self._listing():
            yield from crawl(Ranges(fetch, wanted).steps(self.threads), self.threads)

    def list_all(self) -> Iterator[str]:
        with self._listing():
            for blob in self._bucket.pages(self.prefix, objects.NAMES):
                name = self.name_of(blob.name)
                if name is not None:
                    yield name

    def head(self, name: str) -> RemoteObject | None:
        try:
            blob = self._bucket.get(self.key(name))
        except ERRORS as error:
            if status(error) == 403:  # the answer for a missing object, too, where listing is not
                return None  # allowed: the upload will tell
            self._fail(error)
        return None if blob is None else self._seen(name, blob)

    def _seen(self, name: str, blob: Blob) -> RemoteObject:
        self.remember(name, objects.shown(blob))
        return objects.remote_object(name, blob)

    @contextmanager
    def _listing(self) -> Iterator[None]:
        try:
            yield
        except ERRORS as error:
            if status(error) == 403:
                bucket = self.remote_storage.bucket_name
                message = f"Google Cloud Storage does not let us list bucket {bucket!r}."
                raise ListingForbidden(message) from None
            self._fail(error)

    def _fail(self, error: Exception) -> NoReturn:
        raise self._translate.destination(error) from None

    # -- comparing ------------------------------------------------------------------------------

    def same_bytes(self, file: SourceFile, digest: Digest, remote: RemoteObject) -> bool | None:
        kind, _, value = remote.checksum.partition(":")
        if kind != "crc32c":
            return super().same_bytes(file, digest, remote)
        with self.flight.hold(min(file.size, self.large)):
            xxh3, crcs = self._crcs(file, self.headers(file.name))
            # A file edited since it was hashed must not be remembered under that hash.
            return value in crcs and xxh3 == digest.xxh3

    def _crcs(self, file: SourceFile, headers: Headers) -> tuple[bytes, Sequence[str]]:
        """The xxh3_128 of the source bytes, and the CRC-32C in hex of what would be stored, in
        either version of the gzip header."""
        body = self.body(file, headers)
        if body is not None:
            stored = [body.data, *([other_gzip(body.data)] if headers.gzip else [])]
            return body.xxh3, [f"{google_crc32c.value(data):08x}" for data in stored]
        crc = 0
        with self.stream(file, headers, md5=False) as stream:
            for part in stream.parts(MIB):
                crc = google_crc32c.extend(crc, part)
            return stream.xxh3, [f"{crc:08x}"]

    # -- writing --------------------------------------------------------------------------------

    def put(self, name: str, body: Body, headers: Headers) -> str:
        blob = self._bucket.blob(self.key(name), headers.params)
        blob.md5_hash = base64.b64encode(body.md5).decode()  # the service refuses other bytes
        self._send(name, blob, io.BytesIO(body.data), len(body.data), headers)
        return self._judged(name, blob, body.md5)

    def put_stream(self, name: str, stream: Stream, headers: Headers) -> str:
        blob = self._bucket.blob(self.key(name), headers.params)
        blob.chunk_size = self._chunk()
        size = None if headers.gzip else stream.size
        with self.flight.hold(blob.chunk_size):
            self._send(name, blob, PartsFile(stream, blob.chunk_size), size, headers)
        return self._judged(name, blob, stream.md5)

    def _chunk(self) -> int:
        """The storage's own chunk size, within what memory may hold."""
        wanted = self.remote_storage.blob_chunk_size or CHUNK
        return max(_STEP, min(wanted, self.flight.bound) // _STEP * _STEP)

    def _send(
        self, name: str, blob: Blob, content: Any, size: int | None, headers: Headers
    ) -> None:
        try:
            self._bucket.send(blob, content, size, headers.params)
        except ERRORS as error:
            raise self._translate.upload(error, name) from None
        except ValueError as error:  # the SDK's word for an upload that it cannot resume
            message = f"{name}: Google Cloud Storage has lost a part of the upload."
            raise UploadError(message, name=name) from error

    def _judged(self, name: str, blob: Blob, md5: bytes) -> str:
        """The answer's etag. Raises ``UploadError`` if it shows that other bytes were stored."""
        answered = blob.md5_hash
        if answered and base64.b64decode(answered) != md5:
            raise UploadError(f"{name}: {DAMAGED}.", name=name)
        return objects.etag_of(blob)

    def _written(self, file: SourceFile, own: OwnSave) -> bytes:
        try:
            return own.write(file, self.large, self.digest)
        except ERRORS as error:
            raise self._translate.upload(error, file.name) from None

    def delete_batch(self, keys: Sequence[str]) -> Sequence[str]:
        """One request for all; an object that is gone already counts as deleted."""
        try:
            codes = self._bucket.delete(keys)
        except ERRORS as error:
            self._fail(error)
        return [
            f"{key} (HTTP {code})"
            for key, code in zip(keys, codes, strict=True)
            if not (200 <= code < 300 or code == 404)
        ]


class GoogleCloudManifestMemoryStrategy(GoogleCloudStrategy):
    """Manifest storages, post-processed in memory."""

    post_processing: ClassVar[str] = "memory"


class GoogleCloudManifestFileSystemStrategy(GoogleCloudStrategy):
    """Manifest storages, post-processed in a private temporary folder."""

    post_processing: ClassVar[str] = "files"
