"""Ask botocore how it would send a file, without sending anything.

A PutObject is built and signed as always, and stopped at the moment it would go out. It tells the
host, the style of the URL, the region that is signed for, the kind of signature, and any header
that the user's session adds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest

_KEY = "collectfasta-probe"
_USUAL = re.compile(
    r"content-type|content-length|content-md5|content-encoding|transfer-encoding|user-agent|expect"
    r"|host|date|authorization|x-amz-date|x-amz-content-sha256|x-amz-security-token|x-amz-trailer"
    r"|x-amz-decoded-content-length|x-amz-sdk-checksum-algorithm|x-amz-checksum-.*|x-amzn-trace-id"
    r"|amz-sdk-.*"
)
_CREDENTIAL = re.compile(r"AWS4-HMAC-SHA256 Credential=[^,]*/([^/,]+)/([^/,]+)/aws4_request")


@dataclass(frozen=True, slots=True)
class Route:
    """``endpoint`` holds the bucket where the style of the URL is ``virtual``."""

    endpoint: str
    virtual: bool
    region: str
    signed: bool


class NoRoute(Exception):  # noqa: N818 - an answer, which the choice of a transport copes with
    """Only botocore can send this; the message says why."""


class _Stopped(Exception):  # noqa: N818 - how the request is got hold of
    def __init__(self, request: Any) -> None:
        super().__init__()
        self.request = request


def find_route(client: Any, bucket: str) -> Route:
    """Raises ``NoRoute``, or what the SDK raises if it cannot even sign."""
    request = _captured(client, bucket)
    headers = {name.lower(): _text(value) for name, value in request.headers.items()}
    extra = sorted(name for name in headers if not _USUAL.fullmatch(name))
    if extra:
        raise NoRoute(f"the storage's session adds the header {extra[0]}")
    endpoint, virtual = _address(request.url, bucket)
    if _answered_here(client, request.url):
        raise NoRoute("requests are answered inside this process")
    authorization = headers.get("authorization", "")
    if not authorization:
        if "?" in request.url:
            raise NoRoute("requests are signed in the URL")
        return Route(endpoint, virtual, str(client.meta.region_name or "us-east-1"), signed=False)
    signature = _CREDENTIAL.match(authorization)
    if signature is None or signature[2] != "s3":
        raise NoRoute("requests are signed in another way than by signature version 4")
    return Route(endpoint, virtual, signature[1], signed=True)


def _captured(client: Any, bucket: str) -> Any:
    event = "before-send.s3.PutObject"
    client.meta.events.register_first(event, _stop)
    try:
        client.put_object(Bucket=bucket, Key=_KEY, Body=b"", ContentType="text/plain")
    except _Stopped as stopped:
        return stopped.request
    finally:
        client.meta.events.unregister(event, _stop)
    raise NoRoute("requests cannot be looked at")


def _stop(request: Any, **_: Any) -> None:
    raise _Stopped(request)


def _answered_here(client: Any, url: str) -> bool:
    """Whether something like moto's ``mock_aws`` stands in for the network."""
    head = AWSPreparedRequest("HEAD", url, {}, b"", stream_output=False)
    answers = client.meta.events.emit("before-send.s3.HeadObject", request=head)
    return any(answer is not None for _, answer in answers)


def _address(url: str, bucket: str) -> tuple[str, bool]:
    parts = urlsplit(url)
    base = f"{parts.scheme}://{parts.netloc}"
    if parts.path.endswith(f"/{bucket}/{_KEY}"):
        return base + parts.path.removesuffix(f"/{bucket}/{_KEY}"), False
    if parts.path == f"/{_KEY}" and parts.netloc.startswith(f"{bucket}."):
        return base, True
    raise NoRoute("the bucket's URL is of an unusual form")


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
