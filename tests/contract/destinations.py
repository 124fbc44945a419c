"""The destinations that the contract is stated on. A new one is a line in ``DESTINATIONS``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MINUTE = "public, max-age=60"
HOUR = "public, max-age=3600"


@dataclass(frozen=True, slots=True)
class Destination:
    """``fixture`` gives a place (see ``tests.places``). ``cache_control`` makes the OPTIONS for a
    header, empty where there are no headers. ``gzip``: whether it may keep files gzipped.
    ``missing``: the OPTIONS that name a bucket which does not exist, if there can be such a thing.
    """

    label: str
    fixture: str
    cache_control: str = ""
    gzip: bool = False
    missing: dict[str, Any] = field(default_factory=dict)

    def headers(self, value: str) -> dict[str, Any]:
        """OPTIONS under which files are sent with Cache-Control ``value``."""
        return {"object_parameters": {self.cache_control: value}} if self.cache_control else {}


NOWHERE = "no-such-place-anywhere"

DESTINATIONS = [
    Destination("s3-moto", "s3_bucket", "CacheControl", True, {"bucket_name": NOWHERE}),
    Destination("s3-rclone", "rclone_bucket", "CacheControl", True, {"bucket_name": NOWHERE}),
    Destination("gcs", "gcs_bucket", "cache_control", True, {"bucket_name": NOWHERE}),
    Destination("azure", "azure_container", "cache_control", False, {"azure_container": NOWHERE}),
    Destination("disk", "folder"),
    Destination("unknown", "unknown_place"),
]
