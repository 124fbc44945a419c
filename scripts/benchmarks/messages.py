"""A request and its answer, and how they are read off the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

HEAD_END = b"\r\n\r\n"


@dataclass(slots=True)
class Request:
    """One request; ``body`` is filled in once it has arrived, freed of any chunk framing."""

    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    operation: str = ""
    body: bytes = b""

    def text_query(self) -> str:
        """The query as text, as the log holds it: ``list-type=2&prefix=a/``."""
        return "&".join(f"{name}={value}" if value else name for name, value in self.query.items())


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back. A HEAD's ``body`` is only measured."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


def parse_head(head: bytes) -> Request:
    """Read request line and headers. Raises ``ValueError`` if they are not HTTP."""
    lines = head.decode("latin-1").split("\r\n")
    method, target, _version = lines[0].split(" ")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    if not target.startswith("/"):  # a proxy is asked with the whole address
        target = "/" + target.partition("://")[2].partition("/")[2]
    path, _, query = target.partition("?")
    bucket, _, key = path[1:].partition("/")
    return Request(
        method=method,
        bucket=bucket,
        key=unquote(key) if "%" in key else key,
        query=dict(parse_qsl(query, keep_blank_values=True)) if query else {},
        headers=headers,
    )


@dataclass(slots=True)
class ChunkedBody:
    """Takes the framing off a body of ``Transfer-Encoding: chunked`` as it comes in."""

    decoded: bytearray = field(default_factory=bytearray)
    left: int = 0

    def feed(self, buffer: bytearray) -> bool:
        """Consume what is whole in ``buffer``; true once the last chunk was seen."""
        while True:
            if self.left:
                part = buffer[: self.left]
                self.decoded += part
                del buffer[: len(part)]
                self.left -= len(part)
                if self.left:
                    return False
            if buffer.startswith(b"\r\n"):
                del buffer[:2]
            end = buffer.find(b"\r\n")
            if end < 0:
                return False
            size = int(bytes(buffer[:end]).partition(b";")[0], 16)
            if size == 0:
                # Trailers are not looked at; an empty line ends them.
                done = buffer.find(HEAD_END, end)
                if done < 0:
                    return False
                del buffer[: done + len(HEAD_END)]
                return True
            del buffer[: end + 2]
            self.left = size


def unwrap_aws_chunks(body: bytes) -> bytes:
    """The bytes inside ``Content-Encoding: aws-chunked``; signatures and trailers are dropped."""
    parts: list[bytes] = []
    at = 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end].partition(b";")[0], 16)
        if size == 0:
            return b"".join(parts)
        parts.append(body[end + 2 : end + 2 + size])
        at = end + 2 + size + 2


_WITH_KEY = {
    "PUT": ("partNumber", "UploadPart", "PutObject"),
    "DELETE": ("uploadId", "AbortMultipartUpload", "DeleteObject"),
    "POST": ("uploads", "CreateMultipartUpload", "CompleteMultipartUpload"),
    "GET": ("", "", "GetObject"),
    "HEAD": ("", "", "HeadObject"),
}


def operation_of(request: Request) -> str:
    """The name of the operation that a request asks for, ``Unknown`` if it is none of ours."""
    query = request.query
    if request.key:
        mark, marked, plain = _WITH_KEY.get(request.method, ("", "", "Unknown"))
        return marked if mark and mark in query else plain
    if request.method == "GET":
        if not request.bucket:
            return "ListBuckets"
        marks = {"location": "GetBucketLocation", "uploads": "ListMultipartUploads"}
        named = [marks[mark] for mark in marks if mark in query]
        return named[0] if named else "ListObjectsV2" if "list-type" in query else "ListObjects"
    if request.method == "POST":
        return "DeleteObjects" if "delete" in query else "Unknown"
    return {"HEAD": "HeadBucket", "PUT": "CreateBucket"}.get(request.method, "Unknown")
