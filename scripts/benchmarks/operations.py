"""The operations of S3 over a ``Bucket``: each takes a request and returns its answer."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import time
import uuid
import zlib
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.sax.saxutils import escape

from scripts.benchmarks.bucket import Multipart, StoredObject
from scripts.benchmarks.messages import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scripts.benchmarks.bucket import Bucket
    from scripts.benchmarks.messages import Request

PAGE = 1000
_XMLNS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
_XML = (("Content-Type", "application/xml"),)
_KEPT = frozenset(
    {
        "content-type", "cache-control", "content-encoding", "content-disposition",
        "content-language", "expires",
    }
)  # fmt: skip
# Kept so that a test can see them, but no GET or HEAD tells them.
_UNTOLD = frozenset({"x-amz-acl", "x-amz-tagging"})
_KEPT_AMZ = (
    "x-amz-meta-", "x-amz-acl", "x-amz-storage-class", "x-amz-server-side-encryption",
    "x-amz-tagging", "x-amz-website", "x-amz-checksum-crc",
)  # fmt: skip
_NAME = re.compile(r"<Key>(.*?)</Key>", re.DOTALL)
_PART = re.compile(r"<PartNumber>\s*(\d+)\s*</PartNumber>")


def error(status: int, code: str, message: str = "", **more: str) -> Answer:
    """An error answer in S3's XML; ``more`` are headers, ``_`` standing for ``-``."""
    body = f"<Error><Code>{code}</Code><Message>{escape(message or code)}</Message></Error>"
    headers = tuple((name.replace("_", "-"), value) for name, value in more.items())
    return Answer(status, _XML + headers, b'<?xml version="1.0"?>\n' + body.encode())


def _xml(name: str, inner: str) -> Answer:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} {_XMLNS}>{inner}</{name}>'
    return Answer(200, _XML, text.encode())


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Those of a PUT's headers that stay with the object."""
    kept = {
        name: value
        for name, value in headers.items()
        if name in _KEPT or (name.startswith("x-amz-") and name.startswith(_KEPT_AMZ))
    }
    encodings = [e.strip() for e in kept.pop("content-encoding", "").split(",")]
    encoding = ",".join(e for e in encodings if e and e != "aws-chunked")
    if encoding:
        kept["content-encoding"] = encoding
    kept.setdefault("content-type", "binary/octet-stream")
    return kept


def _wrong_digest(request: Request, md5: bytes) -> bool:
    sent = request.headers.get("content-md5")
    if sent is not None and sent != base64.b64encode(md5).decode():
        return True
    crc = request.headers.get("x-amz-checksum-crc32")
    if crc is None:
        return False
    return crc != base64.b64encode(zlib.crc32(request.body).to_bytes(4, "big")).decode()


def _unmet(bucket: Bucket, request: Request) -> bool:
    """Whether a condition of a write does not hold."""
    present = bucket.objects.get(request.key)
    if request.headers.get("if-none-match") == "*" and present is not None:
        return True
    wanted = request.headers.get("if-match")
    return wanted is not None and (present is None or wanted.strip('"') != present.etag)


def put_object(bucket: Bucket, request: Request) -> Answer:
    """Store the body under the key."""
    if _unmet(bucket, request):
        return error(412, "PreconditionFailed")
    md5 = hashlib.md5(request.body, usedforsecurity=False)
    if _wrong_digest(request, md5.digest()):
        return error(400, "BadDigest")
    return _store(bucket, request.key, request.body, md5.hexdigest(), kept_headers(request.headers))


def _store(bucket: Bucket, key: str, body: bytes, etag: str, headers: dict[str, str]) -> Answer:
    bucket.objects[key] = StoredObject(body, etag, headers, time.time())
    return Answer(200, (("ETag", f'"{etag}"'),))


def _told(stored: StoredObject, request: Request) -> tuple[tuple[str, str], ...]:
    # A checksum is told to those who ask for it, and never beside a part of the bytes.
    checksums = "x-amz-checksum-mode" in request.headers and "range" not in request.headers
    headers = [
        (name, value)
        for name, value in stored.headers.items()
        if name not in _UNTOLD and (checksums or not name.startswith("x-amz-checksum"))
    ]
    headers += [
        ("ETag", f'"{stored.etag}"'),
        ("Last-Modified", stored.http_time()),
        ("Accept-Ranges", "bytes"),
    ]
    return tuple(headers)


def get_object(bucket: Bucket, request: Request) -> Answer:
    """The object's bytes, or a range of them; for HEAD only what it is."""
    stored = bucket.objects.get(request.key)
    if stored is None:
        return error(404, "NoSuchKey")
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if wanted is None:
        return Answer(200, _told(stored, request), stored.body)
    first, size = int(wanted[1]), len(stored.body)
    if first >= size:
        return error(416, "InvalidRange")
    last = min(int(wanted[2] or size - 1), size - 1)
    place = (("Content-Range", f"bytes {first}-{last}/{size}"),)
    return Answer(206, _told(stored, request) + place, stored.body[first : last + 1])


def delete_object(bucket: Bucket, request: Request) -> Answer:
    """Delete the object if it is there."""
    bucket.objects.pop(request.key, None)
    return Answer(204)


def delete_objects(bucket: Bucket, request: Request) -> Answer:
    """Delete up to 1000 objects that the body names."""
    names = [html.unescape(name) for name in _NAME.findall(request.body.decode())]
    if len(names) > PAGE:
        return error(400, "MalformedXML")
    for name in names:
        bucket.objects.pop(name, None)
    return _xml(
        "DeleteResult",
        "".join(f"<Deleted><Key>{escape(name)}</Key></Deleted>" for name in names),
    )


def create_multipart(bucket: Bucket, request: Request) -> Answer:
    """Begin an upload in parts."""
    number = uuid.uuid4().hex
    bucket.uploads[number] = Multipart(request.key, kept_headers(request.headers))
    key = escape(request.key)
    return _xml("InitiateMultipartUploadResult", f"<Key>{key}</Key><UploadId>{number}</UploadId>")


def upload_part(bucket: Bucket, request: Request) -> Answer:
    """Take one part."""
    upload = bucket.uploads.get(request.query["uploadId"])
    if upload is None:
        return error(404, "NoSuchUpload")
    md5 = hashlib.md5(request.body, usedforsecurity=False)
    if _wrong_digest(request, md5.digest()):
        return error(400, "BadDigest")
    upload.parts[int(request.query["partNumber"])] = request.body
    return Answer(200, (("ETag", f'"{md5.hexdigest()}"'),))


def complete_multipart(bucket: Bucket, request: Request) -> Answer:
    """Join the parts; the ETag is the MD5 of their MD5s, with their number."""
    upload = bucket.uploads.get(request.query["uploadId"])
    if upload is None:
        return error(404, "NoSuchUpload")
    if _unmet(bucket, request):
        return error(412, "PreconditionFailed")
    numbers = [int(number) for number in _PART.findall(request.body.decode())]
    if not numbers or any(number not in upload.parts for number in numbers):
        return error(400, "InvalidPart")
    del bucket.uploads[request.query["uploadId"]]
    parts = [upload.parts[number] for number in numbers]
    md5s = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in parts)
    etag = f"{hashlib.md5(md5s, usedforsecurity=False).hexdigest()}-{len(parts)}"
    _store(bucket, upload.key, b"".join(parts), etag, upload.headers)
    return _xml(
        "CompleteMultipartUploadResult",
        f"<Key>{escape(upload.key)}</Key><ETag>&quot;{etag}&quot;</ETag>",
    )


def abort_multipart(bucket: Bucket, request: Request) -> Answer:
    """Give up an upload in parts."""
    bucket.uploads.pop(request.query["uploadId"], None)
    return Answer(204)


def list_uploads(bucket: Bucket, _request: Request) -> Answer:
    """The uploads in parts that nobody has ended."""
    inner = "".join(
        f"<Upload><Key>{escape(upload.key)}</Key><UploadId>{number}</UploadId></Upload>"
        for number, upload in bucket.uploads.items()
    )
    return _xml("ListMultipartUploadsResult", f"<IsTruncated>false</IsTruncated>{inner}")


def list_objects(bucket: Bucket, request: Request) -> Answer:
    """A page of the listing, in version 1 or 2."""
    query = request.query
    second = query.get("list-type") == "2"
    after = query.get("continuation-token") or query.get("start-after") or query.get("marker") or ""
    limit = min(int(query.get("max-keys") or PAGE), PAGE)
    delimiter = query.get("delimiter", "")
    page = bucket.page(query.get("prefix", ""), after, delimiter, limit)
    encode: Callable[[str], str] = quote if query.get("encoding-type") == "url" else escape
    inner = [
        f"<Prefix>{encode(query.get('prefix', ''))}</Prefix><MaxKeys>{limit}</MaxKeys>",
        f"<IsTruncated>{str(page.truncated).lower()}</IsTruncated>",
    ]
    if "encoding-type" in query:
        inner.append("<EncodingType>url</EncodingType>")
    if page.truncated:
        name = "NextContinuationToken" if second else "NextMarker"
        # A token comes back as it was sent; a marker is a key, and encoded like one.
        inner.append(f"<{name}>{(escape if second else encode)(page.last)}</{name}>")
    if second:
        inner.append(f"<KeyCount>{len(page.keys) + len(page.prefixes)}</KeyCount>")
    inner += [_entry(bucket, key, encode(key)) for key in page.keys]
    inner += [
        f"<CommonPrefixes><Prefix>{encode(p)}</Prefix></CommonPrefixes>" for p in page.prefixes
    ]
    return _xml("ListBucketResult", "".join(inner))


def _entry(bucket: Bucket, key: str, encoded: str) -> str:
    stored = bucket.objects.get(key)
    if stored is None:  # a foreign one
        etag, size, when = "d41d8cd98f00b204e9800998ecf8427e", 0, "2020-01-01T00:00:00.000Z"
    else:
        etag, size, when = stored.etag, len(stored.body), stored.iso_time()
    return (
        f"<Contents><Key>{encoded}</Key><LastModified>{when}</LastModified>"
        f"<ETag>&quot;{etag}&quot;</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass>"
        "</Contents>"
    )


def head_bucket(_bucket: Bucket, _request: Request) -> Answer:
    """The bucket is there."""
    return Answer(200, (("x-amz-bucket-region", "us-east-1"),))


def get_location(_bucket: Bucket, _request: Request) -> Answer:
    """Where the bucket is."""
    return _xml("LocationConstraint", "")


HANDLERS: dict[str, Callable[[Bucket, Request], Answer]] = {
    "PutObject": put_object,
    "GetObject": get_object,
    "HeadObject": get_object,
    "DeleteObject": delete_object,
    "DeleteObjects": delete_objects,
    "CreateMultipartUpload": create_multipart,
    "UploadPart": upload_part,
    "CompleteMultipartUpload": complete_multipart,
    "AbortMultipartUpload": abort_multipart,
    "ListMultipartUploads": list_uploads,
    "ListObjects": list_objects,
    "ListObjectsV2": list_objects,
    "HeadBucket": head_bucket,
    "GetBucketLocation": get_location,
}
