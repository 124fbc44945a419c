"""A boto3 client for the storage's bucket, made for many threads."""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import botocore.handlers
from botocore.config import Config
from botocore.utils import parse_timestamp
from storages.backends.s3 import S3Storage

from collectfasta.strategies.overrides import overridden
from collectfasta.strategies.s3.errors import Place, shown_url

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECT_SECONDS = 10.0
ATTEMPTS = 6
"""With 5 % of all requests failing, one file in 64,000,000 fails so often in a row."""

_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws")
_CHECKSUMS = "request_checksum_calculation"
_WHEN_REQUIRED = {
    _CHECKSUMS: "when_required",
    "response_checksum_validation": "when_required",
}


@dataclass(frozen=True, slots=True)
class Connection:
    """``session`` is ``None`` where the storage makes its client in a way of its own."""

    client: Any
    session: Any
    place: Place

    @property
    def bucket(self) -> str:
        return self.place.bucket

    @property
    def aws(self) -> bool:
        """Whether it is Amazon's own service."""
        return is_aws(str(self.client.meta.endpoint_url))


def is_aws(endpoint: str) -> bool:
    return (urlsplit(endpoint).hostname or "").endswith(_AWS)


def connect(storage: Any, threads: int) -> Connection:
    """Built from the storage's own session and options. No request is sent, except that some
    kinds of credentials are fetched. Raises what the SDK raises."""
    bucket = str(storage.bucket_name)
    if overridden(storage, S3Storage, ("connection",)):
        client, session = storage.connection.meta.client, None
    else:
        session = storage._create_session()
        if not overridden(storage, S3Storage, ("_create_session",)):  # else it may be shared
            _parse_times_quickly(session)
        client = _client(storage, session, threads)
    return Connection(client, session, Place(bucket, shown_url(client.meta.endpoint_url)))


def _client(storage: Any, session: Any, threads: int) -> Any:
    given = getattr(storage.client_config, "_user_provided_options", {})
    options = _options(given, threads)
    client = _build(storage, session, options)
    if not is_aws(client.meta.endpoint_url):
        # Other vendors may not know CRC checksums, or want the MD5 that those have replaced.
        if not _wants_checksums(given, session):
            client = _build(storage, session, {**options, **_WHEN_REQUIRED})
        client.meta.events.register("before-call.s3.DeleteObjects", _md5_instead)
    expect = getattr(botocore.handlers, "add_expect_header", None)
    if expect is not None:  # a round trip per file for an answer that is always yes
        client.meta.events.unregister("before-call.s3", expect)
    return client


def _build(storage: Any, session: Any, options: Mapping[str, Any]) -> Any:
    return session.client(
        "s3",
        region_name=storage.region_name,
        use_ssl=storage.use_ssl,
        endpoint_url=storage.endpoint_url,
        verify=storage.verify,
        config=storage.client_config.merge(Config(**options)),
    )


def _parse_times_quickly(session: Any) -> None:
    """Botocore's way of reading a time costs more than all the rest of a listing's entry."""
    factory = session._session.get_component("response_parser_factory")
    factory.set_parser_defaults(timestamp_parser=_time)


def _time(value: Any) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        parsed: datetime = parse_timestamp(value)
        return parsed


def _wants_checksums(given: Mapping[str, Any], session: Any) -> bool:
    """Whether the user has asked for them in as many words."""
    if _CHECKSUMS in given or "AWS_REQUEST_CHECKSUM_CALCULATION" in os.environ:
        return True
    inner = getattr(session, "_session", None)
    profile = inner.get_scoped_config() if inner is not None else {}
    return _CHECKSUMS in profile


def _options(given: Mapping[str, Any], threads: int) -> dict[str, Any]:
    """What the user has not decided. (Adaptive retries nearly stop at a few stray 503s.)"""
    options: dict[str, Any] = {"max_pool_connections": max(10, threads + 4)}
    if "retries" not in given:
        options["retries"] = {"mode": "standard", "total_max_attempts": ATTEMPTS}
    if "connect_timeout" not in given:
        options["connect_timeout"] = CONNECT_SECONDS
    return options


def _md5_instead(params: dict[str, Any], **_: Any) -> None:
    """Older MinIO, Ceph and others insist on Content-MD5 when objects are deleted in bulk."""
    digest = hashlib.md5(params["body"], usedforsecurity=False).digest()
    params["headers"]["Content-MD5"] = base64.b64encode(digest).decode()
    params["context"].get("checksum", {}).pop("request_algorithm", None)
