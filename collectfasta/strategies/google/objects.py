"""What a listing of Google Cloud Storage shows of an object, and which headers are compared."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from collectfasta.items import RemoteObject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.cloud.storage import Blob

FIELDS = (
    "items(name,size,generation,metageneration,md5Hash,crc32c,contentType,contentEncoding,"
    "cacheControl,contentDisposition,contentLanguage,metadata,storageClass),nextPageToken"
)
"""What is asked of each object. Without ``nextPageToken`` the listing would end after one page."""

NAMES = "items(name),nextPageToken"

DEFAULT_TYPE = "application/octet-stream"
"""The content type of an object that is sent without one."""


def remote_object(name: str, blob: Blob) -> RemoteObject:
    """``size`` and checksum are those of the stored bytes. A change of its headers by others moves
    the etag as well: it is the generation and the metageneration."""
    return RemoteObject(name, int(blob.size or 0), etag_of(blob), _checksum(blob))


def etag_of(blob: Blob) -> str:
    return f"{blob.generation}.{blob.metageneration}"


def _checksum(blob: Blob) -> str:
    """Composite objects have a CRC-32C only; those under a key of the customer's show neither."""
    if blob.md5_hash:
        return f"md5:{base64.b64decode(blob.md5_hash).hex()}"
    if blob.crc32c:
        return f"crc32c:{base64.b64decode(blob.crc32c).hex()}"
    return ""


def shown(blob: Blob) -> tuple[Any, ...]:
    """The headers as :func:`expected` orders them."""
    return (
        blob.content_type or DEFAULT_TYPE,
        blob.content_encoding or None,
        blob.cache_control or None,
        blob.content_disposition or None,
        blob.content_language or None,
        _pairs(blob.metadata),
        blob.storage_class,
    )


def expected(params: Mapping[str, Any]) -> tuple[Any, ...]:
    """What will be shown of an object whose blob has these attributes set."""
    return (
        params.get("content_type") or DEFAULT_TYPE,
        params.get("content_encoding") or None,
        params.get("cache_control") or None,
        params.get("content_disposition") or None,
        params.get("content_language") or None,
        _pairs(params.get("metadata")),
        params.get("storage_class"),
    )


def _pairs(metadata: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((key, str(value)) for key, value in (metadata or {}).items()))
