"""Whether a HEAD shows the headers that would be sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

BOTH_WAYS = ("ContentEncoding", "CacheControl", "ContentDisposition", "ContentLanguage")
"""Compared even where we send none: one that is there is a leftover of other settings."""

WHERE_SENT = ("WebsiteRedirectLocation", "ServerSideEncryption")
"""Compared where we send one: where we do not, the bucket decides."""

_BOOKKEEPING = re.compile(r"[acm]time|uid|gid|mode|md5chksum|(s3cmd|s3b|file)-.*")
"""Metadata that other tools keep for themselves."""


def same(params: Mapping[str, Any], head: Mapping[str, Any]) -> bool:
    """``params`` as PutObject takes them, ``head`` as HeadObject answers."""
    if params.get("ContentType") != head.get("ContentType"):
        return False
    if any((params.get(name) or "") != _shown(head, name) for name in BOTH_WAYS):
        return False
    if any(name in params and params[name] != head.get(name) for name in WHERE_SENT):
        return False
    standard = "STANDARD"  # which no HEAD mentions
    if params.get("StorageClass") not in (None, head.get("StorageClass", standard)):
        return False
    if "Expires" in params and str(params["Expires"]) != head.get("ExpiresString"):
        return False
    sent, found = _metadata(params), _metadata(head)
    return sent == {
        name: value
        for name, value in found.items()
        if name in sent or not _BOOKKEEPING.fullmatch(name)
    }


def _shown(head: Mapping[str, Any], name: str) -> str:
    value = str(head.get(name) or "")
    if name != "ContentEncoding":
        return value
    # Some stores keep the mark of a signed stream, which says nothing of the object.
    return ",".join(part for part in value.split(",") if part.strip() != "aws-chunked").strip()


def _metadata(source: Mapping[str, Any]) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in (source.get("Metadata") or {}).items()}
