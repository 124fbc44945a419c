"""One container through the storage's own client: bounded in time, a connection per thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import ResourceNotFoundError
from azure.core.pipeline.policies import ContentDecodePolicy
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import BlobBlock, ContentSettings, ExponentialRetry

from collectfasta.strategies.azureblob.blobs import Entry
from collectfasta.strategies.sessions import widen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from azure.storage.blob import BlobProperties, ContainerClient

BLOCKS = 50_000
"""The most blocks that a blob may have."""

_SDK_BACKOFF = 15
"""Seconds that the SDK waits before its first retry, unless it is told otherwise."""
_HURRY = {"initial_backoff": 1, "increment_base": 3, "random_jitter_range": 1}
"""Retries after about 1, 4, 10 and 28 seconds."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One page, and how to go on, if there is more."""

    entries: list[Entry]
    token: str


class Container:
    """Raises the library's own errors. Methods may be called from many threads."""

    def __init__(self, storage: Any, threads: int) -> None:
        self._client: ContainerClient = storage.client
        config = self._client._config
        self.single = int(config.max_single_put_size)
        self.block = int(config.max_block_size)
        _hurry(config.retry_policy)
        transport = self._client._pipeline._transport
        transport = getattr(transport, "_transport", transport)
        if isinstance(transport, RequestsTransport):
            transport.open()
            widen(transport.session, threads)

    # -- looking --------------------------------------------------------------------------------

    def page(self, prefix: str, limit: int, token: str, *, folders: bool = False) -> Listing:
        """One page of the blobs under ``prefix``. With ``folders``, entries know whether they are a
        folder of a hierarchical account rather than a blob."""
        answers: list[Any] = []
        options: dict[str, Any] = {"include": ["metadata"]} if folders else {}
        pages = self._client.list_blob_names(
            name_starts_with=prefix or None,
            results_per_page=limit,
            raw_response_hook=answers.append,
            retry_total=1,  # a wrong address should not take minutes to be told
            **options,
        ).by_page(token or None)
        next(pages)
        root = answers[-1].context[ContentDecodePolicy.CONTEXT_NAME]
        return Listing(
            [Entry(element) for element in root.iterfind("Blobs/Blob")],
            root.findtext("NextMarker") or "",
        )

    def head(self, key: str) -> BlobProperties | None:
        try:
            return self._client.get_blob_client(key).get_blob_properties()
        except ResourceNotFoundError:
            return None

    # -- writing --------------------------------------------------------------------------------

    def put(self, key: str, data: bytes, params: Mapping[str, Any], md5: bytes) -> dict[str, Any]:
        """One Put Blob, over what is there. The service refuses bytes that ``md5`` does not fit."""
        return self._client.get_blob_client(key).upload_blob(
            data,
            length=len(data),
            overwrite=True,
            content_settings=_settings(params, md5),
        )

    def put_block(self, key: str, block: str, data: bytes) -> None:
        """One block of a large blob, its MD5 checked by the service. All ids of a blob's blocks
        must be of one length."""
        client = self._client.get_blob_client(key)
        client.stage_block(block, data, length=len(data), validate_content=True)

    def commit(
        self, key: str, blocks: Sequence[str], params: Mapping[str, Any], md5: bytes
    ) -> dict[str, Any]:
        """Make a blob of its blocks. The service keeps ``md5``, and does not check it."""
        return self._client.get_blob_client(key).commit_block_list(
            [BlobBlock(block) for block in blocks], content_settings=_settings(params, md5)
        )

    def delete(self, keys: Sequence[str]) -> Iterator[tuple[str, int, str]]:
        """Delete at most 256 blobs in one request: key, HTTP status and error code of each."""
        answers = self._client.delete_blobs(*keys, raise_on_any_failure=False)
        for key, answer in zip(keys, answers, strict=True):
            yield key, answer.status_code, answer.headers.get("x-ms-error-code", "")

    def delete_one(self, key: str) -> None:
        self._client.delete_blob(key)


def _settings(params: Mapping[str, Any], md5: bytes) -> ContentSettings:
    return ContentSettings(**{**params, "content_md5": bytearray(md5)})


def _hurry(policy: Any) -> None:
    """The SDK's first retry comes after 15 seconds, which suits no small file. Whoever has set
    another policy, or another time, keeps it."""
    if type(policy) is ExponentialRetry and policy.initial_backoff == _SDK_BACKOFF:
        for name, value in _HURRY.items():
            setattr(policy, name, value)
