"""S3, and whatever speaks like it, through django-storages' ``S3Storage`` and its subclasses.

The listing comes in pages side by side, files go out by the fastest transport that sends exactly
what the storage would (see :mod:`collectfasta.strategies.s3.choice`), large ones in parts.
"""

from __future__ import annotations

import hashlib
import os
import threading
from typing import TYPE_CHECKING, Any, ClassVar

from storages.backends.s3 import S3Storage
from storages.utils import ReadBytesWrapper

from collectfasta.exceptions import DestinationError, SourceError, UploadError
from collectfasta.items import RemoteObject, Sent
from collectfasta.strategies.naming import NamedStrategy, bytes_of
from collectfasta.strategies.objects import MIB, Headers
from collectfasta.strategies.s3 import etags, shown
from collectfasta.strategies.s3.choice import Choice, choose, own_save
from collectfasta.strategies.s3.client import Connection, connect
from collectfasta.strategies.s3.errors import ERRORS, Place, shown_url
from collectfasta.strategies.s3.listing import Listing
from collectfasta.strategies.s3.own import OwnSave
from collectfasta.strategies.s3.parts import Multipart
from collectfasta.strategies.s3.sdk import MOST, SdkTransport
from collectfasta.strategies.s3.shapes import shows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import BinaryIO

    from collectfasta.items import Digest, SourceFile
    from collectfasta.strategies.bodies import Body, Stream
    from collectfasta.strategies.s3.fast import FastTransport

MAX_KEY = 1024
"""Bytes."""

_ENCRYPTION = ("ServerSideEncryption", "SSEKMSKeyId")
_READING = ("SSECustomerAlgorithm", "SSECustomerKey", "SSECustomerKeyMD5", "RequestPayer")
"""What a HEAD needs as well."""


class Boto3Strategy(NamedStrategy[S3Storage]):
    """See the module. Etags are the objects' ETags, without quotes."""

    kind: ClassVar[str] = "s3"
    library: ClassVar[type] = S3Storage
    batch: ClassVar[int] = 1000
    header_hooks: ClassVar[tuple[str, ...]] = ("get_object_parameters", "_get_write_parameters")
    whole_md5: ClassVar[bool] = False

    def __init__(self, remote_storage: S3Storage) -> None:
        super().__init__(remote_storage)
        storage = self.storage
        self._chunk = int(storage.transfer_config.multipart_chunksize)
        threshold = int(storage.transfer_config.multipart_threshold)
        self.large = min(max(threshold, 5 * MIB), self.flight.bound)
        self._choice: Choice | None = own_save(storage)
        self._own: OwnSave | None = None
        self._fast: FastTransport | None = None
        self._opening = threading.Lock()
        self._opened: Connection | None = None

    @property
    def storage(self) -> Any:
        return self.remote_storage

    # -- facts ----------------------------------------------------------------------------------

    def identity(self) -> str:
        storage = self.storage
        environment = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        endpoint = storage.endpoint_url or environment
        where = shown_url(endpoint) if endpoint else f"aws:{storage.session_profile or ''}"
        return f"s3 {where} {storage.bucket_name}/{self.prefix}"

    def transport(self) -> str:
        if self._fast is not None and self._fast.gave_up:
            return f"s3: put_object ({self._fast.gave_up})"
        return f"s3: {self._choice or 'not opened'}"

    def threads_for(self, files: int) -> int:
        if self._choice is not None and self._choice.options is None:
            return MOST
        return super().threads_for(files)

    def log_details(self) -> dict[str, Any]:
        return {"bucket": str(self.storage.bucket_name), "transport": self.transport()}

    def unfit(self, name: str, key: str) -> str:  # noqa: ARG002 - only the key counts here
        if (size := bytes_of(key)) <= MAX_KEY:
            return ""
        return f"is too long: {size} bytes with the location, of {MAX_KEY}"

    def make_headers(self, name: str) -> Headers:
        storage = self.storage
        params = dict(storage._get_write_parameters(self.key(name), None))
        gzip = (
            storage.gzip
            and params.get("ContentType") in storage.gzip_content_types
            and "ContentEncoding" not in params
        )
        if gzip:
            params["ContentEncoding"] = "gzip"
        group = " ".join(str(params.get(part, "")) for part in _ENCRYPTION)
        if "SSECustomerKey" in params:
            group += " customer"
        return Headers.of(params, gzip=bool(gzip), group=group)

    def compress(self, source: BinaryIO) -> BinaryIO:
        compressed: BinaryIO = self.storage._compress_content(ReadBytesWrapper(source))
        return compressed

    # -- opening and closing --------------------------------------------------------------------

    def open(self, threads: int) -> None:
        """Raises ``DestinationError``."""
        with self._opening:
            if self._opened is None:
                self._open(threads)

    def _open(self, threads: int) -> None:
        storage = self.storage
        place = Place(str(storage.bucket_name), shown_url(storage.endpoint_url or "AWS"))
        if not storage.bucket_name:
            raise DestinationError("There is no bucket: set AWS_STORAGE_BUCKET_NAME.")
        try:
            connection = connect(storage, threads)
        except (*ERRORS, ValueError) as error:
            raise place.opening(error) from None
        self._sdk = SdkTransport(connection)
        self._sdk.watch()
        self._multipart = Multipart(connection, self.flight, self._chunk)
        if self._choice is None:
            self._choice, self._fast = self._choose(connection, threads)
        if self._choice.name == "save":
            self._own = OwnSave(storage, connection.place, self._digest, self._etag)
        self._listing = Listing(self.prefix, self._sdk, self._fast)
        self._opened = connection

    def _choose(self, connection: Connection, threads: int) -> tuple[Choice, FastTransport | None]:
        choice = choose(self.storage, connection)
        if choice.options is None:
            return choice, None
        from collectfasta.strategies.s3.fast import REFUSALS, FastTransport

        try:
            return choice, FastTransport(choice.options, self._sdk, threads)
        except REFUSALS as error:
            why = f"obstore refuses its options: {type(error).__name__}"
            return Choice("put_object", why), None

    def interrupt(self) -> None:
        if self._opened is not None:
            self._multipart.interrupt()

    def close(self) -> None:
        if self._opened is None:
            return
        self._multipart.close()
        if self._own is not None:
            self._own.close()

    # -- look -----------------------------------------------------------------------------------

    def list(self, names: Sequence[str]) -> Iterator[Iterable[RemoteObject]]:
        yield from self._listing.find(self.wanted(names))

    def list_all(self) -> Iterator[str]:
        for page in self._sdk.pages(self.prefix):
            for key, _, _ in page:
                name = self.name_of(key)
                if name is not None:
                    yield name

    def head(self, name: str) -> RemoteObject | None:
        answer = self._head(name)
        if answer is None:
            return None
        etag = etags.plain(answer.get("ETag"))
        return RemoteObject(name, int(answer["ContentLength"]), etag, etags.checksum_of(etag))

    def same_headers(self, file: SourceFile) -> bool:
        answer = self._head(file.name)
        return answer is not None and shown.same(self.headers(file.name).params, answer)

    def _head(self, name: str) -> dict[str, Any] | None:
        key, params = self.key(name), self.headers(name).params
        if self._fast is not None and shows(params):
            found = self._fast.head(key)
            if found is not None:
                return found or None
        return self._sdk.head(key, self._reading(params))

    def _reading(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {part: params[part] for part in _READING if part in params}

    def same_bytes(self, file: SourceFile, digest: Digest, remote: RemoteObject) -> bool | None:
        kind, _, value = remote.checksum.partition(":")
        if kind != "etag":
            return super().same_bytes(file, digest, remote)
        count = int(value.rpartition("-")[2])
        sizes = etags.part_sizes(remote.size, count, self._chunk)
        hashers = [etags.PartHasher(size) for size in sizes]
        if not hashers:
            return None
        with (
            self.flight.hold(2 * MIB),
            self.stream(file, self.headers(file.name), md5=False) as stream,
        ):
            for part in stream.parts(MIB):
                for hasher in hashers:
                    hasher.update(part)
            edited = stream.xxh3 != digest.xxh3  # since it was hashed: it has no such hash any more
        return True if value in {hasher.etag() for hasher in hashers} and not edited else None

    # -- write ----------------------------------------------------------------------------------

    def read_ahead(self, file: SourceFile) -> None:
        if self._own is None:
            super().read_ahead(file)

    def upload(self, file: SourceFile) -> Sent:
        if self._own is None:
            return super().upload(file)
        with self.flight.hold(min(file.size, self.large)):
            return self._own.upload(file, self.key(file.name), self.large)

    def put(self, name: str, body: Body, headers: Headers) -> str:
        return self._put(name, body.data, headers)

    def _put(self, name: str, data: bytes, headers: Headers) -> str:
        key = self.key(name)
        if self._fast is None:
            return self._sdk.put(name, key, data, headers.params)
        return self._fast.put(name, key, data, headers.params, headers.fingerprint)

    def put_stream(self, name: str, stream: Stream, headers: Headers) -> str:
        """In parts, as the SDK's uploader would; in one piece if gzip makes it that small."""
        size = self._multipart.part_size(stream.size)
        parts = stream.parts(size)
        ahead = [self._multipart.next_part(parts, size)]
        if len(ahead[0]) < size:
            sent = hashlib.md5(ahead[0], usedforsecurity=False).hexdigest()
            try:
                etag = self._put(name, ahead[0], headers)
            finally:
                self._multipart.give_back(ahead[0])
            self.judge.see(name, etag, sent, headers.group)
            return etag
        etag, expected = self._multipart.send(name, self.key(name), ahead, parts, headers.params)
        if "-" in etag:
            self.judge.see(name, etag, expected, f"{headers.group} parts")
        else:
            self._judge_whole(name, etag, stream, headers)
        return etag

    def _judge_whole(self, name: str, etag: str, stream: Stream, headers: Headers) -> None:
        """Some servers answer the MD5 of the whole, as if there had been no parts: the file is read
        once more for them. If it has changed meanwhile, there is nothing to judge by."""
        try:
            with self.flight.hold(2 * MIB):
                xxh3, (md5,) = self._streamed_md5(stream.file, headers)
        except (SourceError, UploadError):
            return
        if xxh3 == stream.xxh3:
            self.judge.see(name, etag, md5, f"{headers.group} whole")

    def _digest(self, file: SourceFile) -> bytes:
        with self.stream(file, Headers({}, ""), md5=False) as stream:
            for _ in stream.parts(MIB):
                pass
            return stream.xxh3

    def _etag(self, key: str) -> str:
        answer = self._sdk.head(key, self._reading(self.storage.object_parameters))
        return etags.plain(answer.get("ETag")) if answer else ""

    def delete_batch(self, keys: Sequence[str]) -> Sequence[str]:
        return self._sdk.delete([*keys])


class Boto3ManifestMemoryStrategy(Boto3Strategy):
    """For storages with a manifest: what post-processing makes is held in memory."""

    post_processing: ClassVar[str] = "memory"


class Boto3ManifestFileSystemStrategy(Boto3Strategy):
    """For storages with a manifest: what post-processing makes is held in a temporary folder."""

    post_processing: ClassVar[str] = "files"
