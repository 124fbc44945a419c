"""Google Cloud Storage and Azure Blob Storage, as far as a run needs them, in this process.

The real SDKs talk to them over HTTP. Every write moves an object's generation, or etag.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import itertools
import json
import re
import threading
from dataclasses import dataclass, field
from email.parser import BytesParser
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from tests.strategies.service import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = 3
"""Objects on a page: so few that every listing has several."""


@dataclass(frozen=True, slots=True)
class Blob:
    """``headers`` are content-type, content-encoding and cache-control, where there are any."""

    body: bytes
    headers: dict[str, str]
    generation: int

    @property
    def md5(self) -> str:
        return base64.b64encode(hashlib.md5(self.body).digest()).decode()


@dataclass
class Cloud:
    """What both have in common. ``faults``: glob → ``refuse``, or ``throttle`` or ``cut`` once."""

    blobs: dict[str, Blob] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    struck: set[str] = field(default_factory=set)
    busy: int = 0

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Answer:
        with self._lock:
            self.busy += 1
        try:
            url = urlsplit(request.path)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            with self._lock:
                return self.respond(request, url.path, query)
        finally:
            with self._lock:
                self.busy -= 1

    def respond(self, request: Request, path: str, query: dict[str, str]) -> Answer:
        raise NotImplementedError

    def refusal(self, status: int) -> Answer:
        raise NotImplementedError

    def write(self, key: str, body: bytes, headers: dict[str, str]) -> Blob:
        kept = {name: value for name, value in headers.items() if value}
        self.blobs[key] = blob = Blob(body, kept, next(self._numbers))
        return blob

    def trouble(self, key: str) -> Answer | None:
        """What shall go wrong with a write. Raises ``ConnectionError`` to cut it off."""
        for glob, kind in list(self.faults.items()):
            if not fnmatch.fnmatchcase(key, glob):
                continue
            if kind == "refuse":
                self.struck.add(key)
                return self.refusal(403)
            del self.faults[glob]
            if kind == "cut":
                raise ConnectionError
            return self.refusal(503)
        return None

    def page(
        self, prefix: str, after: str, start: str = "", end: str = ""
    ) -> tuple[list[str], str]:
        """Keys, and the token of the next page."""
        keys = [
            key
            for key in sorted(self.blobs)
            if key.startswith(prefix) and key > after and key >= start and (not end or key < end)
        ]
        return keys[:PAGE], keys[PAGE - 1] if len(keys) > PAGE else ""


def _parts(request: Request) -> Iterator[Any]:
    """The parts of a multipart body."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + request.body)
    yield from message.get_payload()


class Google(Cloud):
    """The JSON API."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._uploads: dict[str, dict[str, Any]] = {}

    def respond(self, request: Request, path: str, query: dict[str, str]) -> Answer:
        if path.startswith("/upload/"):
            return self._upload(request, query)
        if path.startswith("/batch/"):
            return self._batch(request)
        match = re.fullmatch(r"(/download)?/storage/v1/b/[^/]+/o(?:/(.+))?", path)
        if match is None:
            return self.refusal(400)
        if match[2] is None:
            return self._list(query)
        blob = self.blobs.get(key := unquote(match[2]))
        if blob is None:
            return self.refusal(404)
        if match[1]:
            return Answer(200, blob.body, {"Content-Type": "application/octet-stream"})
        return self._json(self._shown(key, blob))

    def _json(self, value: object, status: int = 200) -> Answer:
        return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def refusal(self, status: int) -> Answer:
        return self._json({"error": {"code": status, "message": "no"}}, status)

    def _shown(self, key: str, blob: Blob) -> dict[str, Any]:
        names = {
            "contentType": "content-type",
            "contentEncoding": "content-encoding",
            "cacheControl": "cache-control",
        }
        shown = {to: blob.headers[name] for to, name in names.items() if name in blob.headers}
        return {
            "name": key,
            "size": str(len(blob.body)),
            "md5Hash": blob.md5,
            "generation": str(blob.generation),
            "metageneration": "1",
            "storageClass": "STANDARD",
            **shown,
        }

    def _list(self, query: dict[str, str]) -> Answer:
        keys, token = self.page(
            query.get("prefix", ""),
            query.get("pageToken", ""),
            query.get("startOffset", ""),
            query.get("endOffset", ""),
        )
        items = [self._shown(key, self.blobs[key]) for key in keys]
        return self._json({"items": items, **({"nextPageToken": token} if token else {})})

    def _upload(self, request: Request, query: dict[str, str]) -> Answer:
        if request.method == "PUT":
            if "bytes */" in request.headers.get("content-range", ""):
                return Answer(308)  # how far have we come? Nowhere.
            return self._chunk(request, query["upload_id"])
        if query["uploadType"] == "resumable":
            number = str(next(self._numbers))
            described = json.loads(request.body)
            described.setdefault("contentType", request.headers["x-upload-content-type"])
            self._uploads[number] = described
            host = f"http://{request.headers['host']}"
            place = f"{host}/upload/storage/v1/b/static/o?uploadType=resumable&upload_id={number}"
            return Answer(200, b"", {"Location": place})
        described, content = _parts(request)
        boundary = request.headers["content-type"].partition("boundary=")[2].strip('"').encode()
        # Taken by hand: a parser of mails would change line ends in it.
        body = request.body.split(b"--" + boundary, 2)[2].partition(b"\r\n\r\n")[2]
        body = body[: body.rindex(b"\r\n--" + boundary)]
        described = json.loads(described.get_payload())
        described.setdefault("contentType", content.get_content_type())
        return self._finish(described, body)

    def _chunk(self, request: Request, number: str) -> Answer:
        """``Content-Range`` is ``bytes 0-8388607/9000000``; the total is ``*`` before the end."""
        described = self._uploads[number]
        before: bytes = described.get("sent", b"")
        span, _, total = request.headers["content-range"].removeprefix("bytes ").partition("/")
        if int(span.partition("-")[0]) != len(before):
            return self.refusal(400)
        sent = before + request.body
        if total == "*" or int(total) > len(sent):
            described["sent"] = sent
            return Answer(308, b"", {"Range": f"bytes=0-{len(sent) - 1}"})
        answer = self._finish(described, sent)
        if answer.status == 200:
            del self._uploads[number]
        return answer

    def _finish(self, described: dict[str, Any], body: bytes) -> Answer:
        key = described["name"]
        if trouble := self.trouble(key):
            return trouble
        md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
        if described.get("md5Hash", md5) != md5:
            return self.refusal(400)
        headers = {
            "content-type": described.get("contentType") or "application/octet-stream",
            "content-encoding": described.get("contentEncoding") or "",
            "cache-control": described.get("cacheControl") or "",
        }
        return self._json(self._shown(key, self.write(key, body, headers)))

    def _batch(self, request: Request) -> Answer:
        answers = []
        for part in _parts(request):
            inner = part.get_payload()
            text = inner if isinstance(inner, str) else inner[0].as_string()
            path = text.split()[1]
            key = unquote(urlsplit(path).path.partition("/o/")[2])
            status = "204 No Content" if self.blobs.pop(key, None) else "404 Not Found"
            answers.append(
                "--answer\r\nContent-Type: application/http\r\n\r\n"
                f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n\r\n{{}}\r\n"
            )
        body = "".join([*answers, "--answer--\r\n"]).encode()
        return Answer(200, body, {"Content-Type": 'multipart/mixed; boundary="answer"'})


class Azure(Cloud):
    """The Blob service."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._blocks: dict[tuple[str, str], bytes] = {}

    def respond(self, request: Request, path: str, query: dict[str, str]) -> Answer:
        key = unquote("/".join(path.split("/")[3:]))
        what = query.get("comp", "")
        if not key:
            return self._batch(request) if what == "batch" else self._list(query)
        if request.method == "PUT":
            return self._put(request, key, query)
        blob = self.blobs.get(key)
        if blob is None:
            return self.refusal(404)
        headers = self._shown(blob)
        if request.method == "HEAD":
            return Answer(200, blob.body, headers)
        size = len(blob.body)
        if "x-ms-range" not in request.headers:
            return Answer(200, blob.body, headers)
        if not size:
            return self.refusal(416)
        return Answer(206, blob.body, {**headers, "Content-Range": f"bytes 0-{size - 1}/{size}"})

    def refusal(self, status: int) -> Answer:
        codes = {
            400: "InvalidBlockList",
            403: "AuthorizationPermissionMismatch",
            404: "BlobNotFound",
            416: "InvalidRange",
        }
        code = codes.get(status, "ServerBusy")
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>"
        return Answer(
            status, body.encode(), {"Content-Type": "application/xml", "x-ms-error-code": code}
        )

    def _shown(self, blob: Blob) -> dict[str, str]:
        return {
            **{name.title(): value for name, value in blob.headers.items()},
            "Content-MD5": blob.md5,
            "ETag": f'"0x{blob.generation:X}"',
            "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT",
            "x-ms-blob-type": "BlockBlob",
        }

    def _list(self, query: dict[str, str]) -> Answer:
        keys, token = self.page(query.get("prefix", ""), query.get("marker", ""))
        blobs = "".join(
            f"<Blob><Name>{escape(key)}</Name><Properties>"
            + "".join(
                f"<{name}>{escape(value)}</{name}>"
                for name, value in self._shown(self.blobs[key]).items()
                if not name.startswith(("ETag", "x-ms"))
            )
            + f"<Etag>0x{self.blobs[key].generation:X}</Etag>"
            + f"<Content-Length>{len(self.blobs[key].body)}</Content-Length>"
            + "</Properties></Blob>"
            for key in keys
        )
        text = (
            "<?xml version='1.0' encoding='utf-8'?><EnumerationResults ServiceEndpoint='x' "
            f"ContainerName='static'><Blobs>{blobs}</Blobs><NextMarker>{escape(token)}"
            "</NextMarker></EnumerationResults>"
        )
        return Answer(200, text.encode(), {"Content-Type": "application/xml"})

    def _put(self, request: Request, key: str, query: dict[str, str]) -> Answer:
        if query.get("comp") == "block":
            self._blocks[key, query["blockid"]] = request.body
            return Answer(201)
        if trouble := self.trouble(key):
            return trouble
        body = request.body
        if query.get("comp") == "blocklist":
            ids = [block.decode() for block in re.findall(rb"<Latest>(.*?)</Latest>", body)]
            if not all((key, block) in self._blocks for block in ids):
                return self.refusal(400)
            body = b"".join(self._blocks[key, block] for block in ids)
        # Whoever writes a blob discards all blocks that wait for it, those of others as well.
        self._blocks = {place: block for place, block in self._blocks.items() if place[0] != key}
        names = ("content-type", "content-encoding", "cache-control")
        headers = {name: request.headers.get(f"x-ms-blob-{name}", "") for name in names}
        headers["content-type"] = headers["content-type"] or "application/octet-stream"
        return Answer(201, b"", self._shown(self.write(key, body, headers)))

    def _batch(self, request: Request) -> Answer:
        answers = []
        for number, part in enumerate(_parts(request)):
            path = re.search(r"DELETE (\S+)", part.as_string())
            key = unquote("/".join((path[1] if path else "").partition("?")[0].split("/")[3:]))
            status = "202 Accepted" if self.blobs.pop(key, None) else "404 Not Found"
            answers.append(
                f"--answer\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\n"
                f"HTTP/1.1 {status}\r\nx-ms-request-id: x\r\n\r\n\r\n"
            )
        body = "".join([*answers, "--answer--\r\n"]).encode()
        return Answer(202, body, {"Content-Type": "multipart/mixed; boundary=answer"})
