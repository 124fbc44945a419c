"""Azure Blob Storage through django-storages' ``AzureStorage`` and its subclasses.

One Put Blob per file, or blocks for one that is larger than the client puts at once. Every blob
gets its MD5, whatever its size, so that the listing proves its bytes later. The client, its
credentials and its retries are the storage's own. Blobs are overwritten under exactly their name,
whatever ``AZURE_OVERWRITE_FILES`` says.
"""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from storages.backends.azure_storage import AzureStorage

from collectfasta.exceptions import DestinationError, ListingForbidden, SourceError, UploadError
from collectfasta.strategies.azureblob import blobs
from collectfasta.strategies.azureblob.container import BLOCKS, Container
from collectfasta.strategies.azureblob.errors import (
    ERRORS,
    Translator,
    code_of,
    key_refused,
    status,
)
from collectfasta.strategies.azureblob.folders import PAGE, Folders, Listed
from collectfasta.strategies.crawl import crawl
from collectfasta.strategies.judge import DAMAGED
from collectfasta.strategies.listed import ListedStrategy, Shown
from collectfasta.strategies.objects import MIB, Headers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from collectfasta.items import RemoteObject, Sent, SourceFile
    from collectfasta.strategies.bodies import Body, Stream
    from collectfasta.strategies.ownsave import OwnSave

SINGLE = 64 * MIB
"""Bytes: the most that is held in memory and put at once, even if the client would put more."""

SEGMENTS = 254
"""Path segments that a blob's name may have."""


TRIES = 5
"""Times that a large file is sent while other runs write it as well."""


class BlocksLostError(UploadError):
    """The blocks of an upload have gone before they could be made a blob."""


class AzureBlobStrategy(ListedStrategy[AzureStorage]):
    """See the module."""

    kind = "azure"
    library = AzureStorage
    hooks = (
        "save",
        "_save",
        "get_available_name",
        "exists",
        "client",
        "service_client",
        "_get_content_settings_parameters",
    )
    in_a_run: ClassVar[Mapping[str, Any]] = {"overwrite_files": True, "upload_max_conn": 1}
    batch = 256
    large = SINGLE + 1

    def __init__(self, remote_storage: AzureStorage) -> None:
        super().__init__(remote_storage)
        self._account = self._find_account()
        self._translate = Translator(str(self.remote_storage.azure_container), self._account)

    def _find_account(self) -> str:
        """The service's address, without the token that may be part of its URL."""
        if not self.remote_storage.azure_container:
            raise DestinationError("Azure Blob Storage: AZURE_CONTAINER is not set.")
        try:
            client = self.remote_storage.client
        except (ValueError, AttributeError, TypeError) as error:
            raise DestinationError(
                "Azure Blob Storage: no client can be made of AZURE_CONNECTION_STRING, or of "
                f"AZURE_ACCOUNT_NAME and a credential ({type(error).__name__})."
            ) from None  # what the SDK says may quote the setting
        return f"{client.scheme}://{client.primary_hostname}"

    def identity(self) -> str:
        container = self.remote_storage.azure_container
        return f"{self.kind} {self._account} {container} {self.prefix}"

    # -- names ----------------------------------------------------------------------------------

    def normalise(self, name: str) -> str:
        try:
            return str(self.remote_storage._get_valid_path(name))
        except ValueError as error:
            message = f"{name}: Azure Blob Storage cannot hold a blob of this name."
            raise SourceError(message, name=name) from error

    def unfit(self, name: str, key: str) -> str:
        if len(key) > 1024:
            return "is longer than the 1,024 characters that Azure Blob Storage allows"
        if name.endswith((".", "/")):
            return f"ends with {name[-1]!r}, which Azure Blob Storage does not keep"
        if key.count("/") >= SEGMENTS:
            return f"has more than the {SEGMENTS} segments that Azure Blob Storage allows"
        return ""

    # -- headers --------------------------------------------------------------------------------

    def make_headers(self, name: str) -> Headers:
        # The library's own method: a subclass's may want to see the content, and has its own save.
        params: Mapping[str, Any] = AzureStorage._get_content_settings_parameters(
            self.remote_storage, self.key(name)
        )
        return Headers.of(params)

    def expected(self, headers: Headers) -> Shown:
        return blobs.expected(headers.params)

    # -- looking --------------------------------------------------------------------------------

    def open(self, threads: int) -> None:
        self._container = Container(self.remote_storage, threads)
        self.large = min(self._container.single, SINGLE) + 1
        super().open(threads)

    def list(self, names: Sequence[str]) -> Iterator[Iterable[RemoteObject]]:
        wanted = self.wanted(names)

        def fetch(prefix: str, limit: int, token: str) -> Listed:
            page = self._container.page(prefix, limit, token)
            found = {entry.key: entry for entry in page.entries if entry.key in wanted}
            return Listed(
                {key: self._seen(wanted[key], entry) for key, entry in found.items()},
                len(page.entries),
                page.token,
            )

        with self._listing():
            yield from crawl(Folders(fetch, wanted, self.prefix).steps(), self.threads)

    def list_all(self) -> Iterator[str]:
        token, more = "", True
        with self._listing():
            while more:
                page = self._container.page(self.prefix, PAGE, token, folders=True)
                for entry in page.entries:
                    name = self.name_of(entry.key)
                    if name is not None and not entry.folder:
                        yield name
                token, more = page.token, bool(page.token)

    def head(self, name: str) -> RemoteObject | None:
        try:
            found = self._container.head(self.key(name))
        except ERRORS as error:
            if status(error) == 403 and not key_refused(error):
                return None  # a key that may write only: the upload will tell
            self._fail(error)
        if found is None:
            return None
        self.remember(name, blobs.shown_in(found))
        return blobs.from_properties(name, found)

    def _seen(self, name: str, entry: blobs.Entry) -> RemoteObject:
        self.remember(name, entry.shown())
        return entry.remote(name)

    @contextmanager
    def _listing(self) -> Iterator[None]:
        try:
            yield
        except ERRORS as error:
            if status(error) == 403 and not key_refused(error):
                container = self.remote_storage.azure_container
                message = f"Azure Blob Storage does not let us list container {container!r}."
                raise ListingForbidden(message) from None
            self._fail(error)

    def _fail(self, error: Exception) -> NoReturn:
        raise self._translate.destination(error) from None

    # -- writing --------------------------------------------------------------------------------

    def put(self, name: str, body: Body, headers: Headers) -> str:
        try:
            answer = self._container.put(self.key(name), body.data, headers.params, body.md5)
        except ERRORS as error:
            raise self._translate.upload(error, name) from None
        answered = answer.get("content_md5")
        if answered and bytes(answered) != body.md5:
            raise UploadError(f"{name}: {DAMAGED}.", name=name)
        return str(answer["etag"]).strip('"')

    def put_stream(self, name: str, stream: Stream, headers: Headers) -> str:
        """Blocks, one after the other: other files fill the other threads. Blocks of an upload that
        fails belong to no blob, and Azure drops them after a week."""
        try:
            with self.flight.hold(self._block_size(stream)):
                blocks = self._put_blocks(self.key(name), stream)
            answer = self._container.commit(self.key(name), blocks, headers.params, stream.md5)
        except ERRORS as error:
            if code_of(error) == "InvalidBlockList":
                raise BlocksLostError(
                    f"{name}: somebody else writes it as well.", name=name
                ) from None
            raise self._translate.upload(error, name) from None
        return str(answer["etag"]).strip('"')

    def _block_size(self, stream: Stream) -> int:
        return min(max(self._container.block, -(-stream.size // BLOCKS)), self.flight.bound)

    def _put_blocks(self, key: str, stream: Stream) -> Sequence[str]:
        """Their ids, which no other run can have: blocks of both would end up in one blob."""
        upload = uuid.uuid4().hex[:30]
        blocks = []
        for number, part in enumerate(stream.parts(self._block_size(stream))):
            blocks.append(f"{upload}{number:08}")
            self._container.put_block(key, blocks[-1], part)
            del part  # before the next one is read
        return blocks

    def upload(self, file: SourceFile) -> Sent:
        """Whoever writes a blob discards all blocks that wait for it, another run's as well: that
        one begins again."""
        for _ in range(TRIES - 1):
            try:
                return super().upload(file)
            except BlocksLostError:
                continue
        return super().upload(file)

    def _written(self, file: SourceFile, own: OwnSave) -> bytes:
        try:
            return own.write(file, self.large, self.digest)
        except ERRORS as error:
            raise self._translate.upload(error, file.name) from None

    def delete_batch(self, keys: Sequence[str]) -> Sequence[str]:
        """One request for all; where that is not allowed, one for each."""
        try:
            return [
                f"{key} ({code or f'HTTP {answer}'})"
                for key, answer, code in self._container.delete(keys)
                if not (200 <= answer < 300 or answer == 404)
            ]
        except ERRORS as error:
            if key_refused(error) or not status(error):
                self._fail(error)
        return [problem for key in keys if (problem := self._delete_one(key))]

    def _delete_one(self, key: str) -> str:
        try:
            self._container.delete_one(key)
        except ERRORS as error:
            if status(error) != 404:
                return f"{key} ({code_of(error) or f'HTTP {status(error)}'})"
        return ""


class AzureBlobManifestMemoryStrategy(AzureBlobStrategy):
    """Manifest storages, post-processed in memory."""

    post_processing: ClassVar[str] = "memory"


class AzureBlobManifestFileSystemStrategy(AzureBlobStrategy):
    """Manifest storages, post-processed in a private temporary folder."""

    post_processing: ClassVar[str] = "files"
