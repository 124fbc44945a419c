"""PutObject's parameters as obstore takes them, and its answers as HeadObject gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Headers = tuple[tuple[str, str], ...]
Shape = tuple[dict[str, str], Headers]
"""obstore's attributes, and the headers that they cannot carry."""

_ATTRIBUTES = {
    "ContentType": "Content-Type",
    "ContentEncoding": "Content-Encoding",
    "ContentDisposition": "Content-Disposition",
    "ContentLanguage": "Content-Language",
    "CacheControl": "Cache-Control",
    "StorageClass": "Storage-Class",
}
_HEADERS = {
    "ACL": "x-amz-acl",
    "ExpectedBucketOwner": "x-amz-expected-bucket-owner",
    "GrantFullControl": "x-amz-grant-full-control",
    "GrantRead": "x-amz-grant-read",
    "GrantReadACP": "x-amz-grant-read-acp",
    "GrantWriteACP": "x-amz-grant-write-acp",
    "RequestPayer": "x-amz-request-payer",
    "SSEKMSEncryptionContext": "x-amz-server-side-encryption-context",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "Tagging": "x-amz-tagging",
    "WebsiteRedirectLocation": "x-amz-website-redirect-location",
}
_SHOWN = frozenset(_ATTRIBUTES) - {"StorageClass"} | {
    "Metadata",
    "ACL",
    "Tagging",
    "GrantFullControl",
    "GrantRead",
    "GrantReadACP",
    "GrantWriteACP",
}
"""Parameters that obstore's HEAD shows, or that none does."""


def shows(params: Mapping[str, Any]) -> bool:
    """Whether ``FastTransport.head`` shows all of ``params`` that any HEAD shows."""
    return params.keys() <= _SHOWN


def as_head(found: Any) -> dict[str, Any]:
    """obstore's answer to a HEAD, as HeadObject would have it."""
    attributes: dict[str, str] = dict(found.attributes)
    head: dict[str, Any] = {
        name: attributes.pop(called) for name, called in _ATTRIBUTES.items() if called in attributes
    }
    meta = found.meta
    return {
        **head,
        "Metadata": attributes,
        "ContentLength": meta["size"],
        "ETag": meta["e_tag"],
    }


def shape_of(params: Mapping[str, Any]) -> Shape | None:
    """PutObject's parameters as obstore sends them; ``None`` if it cannot."""
    attributes: dict[str, str] = {}
    headers: dict[str, str] = {}
    for name, value in params.items():
        if name == "Metadata":
            if not _fit_metadata(value):
                return None
            attributes.update(value)
        elif name in _ATTRIBUTES and _fit_value(value):
            attributes[_ATTRIBUTES[name]] = value
        elif name in _HEADERS and _fit_value(value):
            headers[_HEADERS[name]] = value
        else:
            return None
    return attributes, tuple(sorted(headers.items()))


def _fit_value(value: object) -> bool:
    """A header that botocore sends just as it is: text without anything to encode or trim."""
    return (
        isinstance(value, str)
        and value.isascii()
        and value.isprintable()
        and value == value.strip()
        and bool(value)
    )


def _fit_metadata(value: object) -> bool:
    known = {name.lower() for name in _ATTRIBUTES.values()}
    return isinstance(value, dict) and all(
        _fit_value(key) and _fit_value(text) and key.lower() not in known
        for key, text in value.items()
    )
