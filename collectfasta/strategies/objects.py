"""What all cloud strategies share: keys, headers, bodies, bytes in flight, ETags."""

from __future__ import annotations

import hashlib
import json
import mimetypes
import posixpath
import re
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django.core.exceptions import SuspiciousOperation
from storages.utils import clean_name

from collectfasta.exceptions import SourceError, UploadError
from collectfasta.items import Sent
from collectfasta.strategies.bodies import Body, Stream, make_body, other_gzip, read_source
from collectfasta.strategies.flight import SMALL, Flight
from collectfasta.strategies.judge import Judge
from collectfasta.strategies.native import NativeStrategy
from collectfasta.strategies.overrides import overridden
from collectfasta.strategies.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

    from collectfasta.items import Digest, RemoteObject, SourceFile
    from collectfasta.strategies.bodies import Compress

S = TypeVar("S")
_ODD = re.compile(r"^[/.]|/[/.]|/$|\\")
"""Names that the storage might write in another way: ``./a``, ``a//b``, ``a\\b``."""
MIB = 1024 * 1024
NEAR = 16 * 1024
"""Bytes. Smaller files are read ahead."""
MOST_AHEAD = 2_000
"""Files that are held then, whatever becomes of their uploads: 32 MB at the very most."""


@dataclass(frozen=True, slots=True)
class Headers:
    """What the storage itself would send beside the bytes.

    ``params`` are in the storage's own terms and must not be changed. ``gzip``: we compress.
    Uploads with the same ``group`` (their encryption) are answered with the same kind of ETag.
    """

    params: Mapping[str, Any]
    fingerprint: str
    gzip: bool = False
    group: str = ""

    @classmethod
    def of(cls, params: Mapping[str, Any], *, gzip: bool = False, group: str = "") -> Headers:
        """``fingerprint`` is made from all of it, the same in every process and Python version."""
        text = json.dumps([dict(params), gzip], sort_keys=True, default=str)
        short = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
        return cls(params, short, gzip=gzip, group=group)


class ObjectStrategy(NativeStrategy[S]):
    """A bucket or container whose storage is one of django-storages'.

    A subclass says what ``library`` class its storages derive from and defines ``make_headers``,
    ``put`` and ``put_stream`` besides what every strategy needs; ``compress`` if its storage can
    gzip.
    """

    library: ClassVar[type]
    """The class whose methods are the library's own, e.g. ``S3Storage``."""

    header_hooks: ClassVar[tuple[str, ...]] = ("get_object_parameters",)
    """Methods that, once overridden, may give each name headers of its own."""

    large: int = 8 * MIB
    """Bytes: from this size on a file is streamed by ``put_stream``, not read into memory."""

    whole_md5: ClassVar[bool] = True
    """Whether ``put_stream`` needs the stream's own MD5, a third of the work on a large file."""

    def __init__(self, remote_storage: S) -> None:
        super().__init__(remote_storage)
        self.flight = Flight()
        self.judge = Judge()
        self._turns = Turns()
        self._ahead: dict[str, Body] = {}
        self.prefix = self._find_prefix()
        self._headers: dict[str, Headers] = {}
        self._vary = self.overridden(*self.header_hooks) is not None

    def overridden(self, *names: str) -> str | None:
        """The first of these methods that the user's storage has replaced."""
        return overridden(self.remote_storage, self.library, names)

    # -- keys ---------------------------------------------------------------------------------

    def normalise(self, name: str) -> str:
        """The key that the storage itself would use: slow, and right for every name."""
        storage: Any = self.remote_storage
        return storage._normalize_name(clean_name(name))

    def _find_prefix(self) -> str:
        """What stands before every name: ``location/``, or nothing."""
        storage: Any = self.remote_storage
        probe = "0"  # which no rule about letters changes
        key = self.normalise(probe)
        if key.endswith(probe):
            return key.removesuffix(probe)
        location = str(storage.location).strip("/")
        return f"{location}/" if location else ""

    def key(self, name: str) -> str:
        """The object's full key. Raises ``SourceError`` for a name that leaves the location."""
        if _ODD.search(name) is None:
            return self.prefix + name
        try:
            return self.normalise(name)
        except SuspiciousOperation as error:
            raise SourceError(f"{name}: outside of the storage's location.", name=name) from error

    def name_of(self, key: str) -> str | None:
        """The name of the object at ``key``; ``None`` for one that is not in the location."""
        prefix = self.prefix
        if key.startswith(prefix) and len(key) > len(prefix):
            return key[len(prefix) :]
        return None

    # -- headers ------------------------------------------------------------------------------

    @abstractmethod
    def make_headers(self, name: str) -> Headers:
        """What the storage itself would send with ``name``."""

    def headers(self, name: str) -> Headers:
        """Like ``make_headers``, once per file extension where they cannot depend on more."""
        if self._vary:
            return self.make_headers(name)
        suffix = type_suffix(name)
        found = self._headers.get(suffix)
        if found is None:
            found = self._headers[suffix] = self.make_headers(name)
        return found

    def fingerprint(self, name: str) -> str:
        return self.headers(name).fingerprint

    def encodes(self, name: str) -> bool:
        return self.headers(name).gzip

    def sent_as(self, name: str) -> tuple[str, bool]:
        headers = self.headers(name)
        return headers.fingerprint, headers.gzip

    # -- bytes --------------------------------------------------------------------------------

    def compress(self, source: BinaryIO) -> BinaryIO:
        """A stream of ``source`` compressed, byte for byte as the storage does it."""
        raise NotImplementedError

    def read_ahead(self, file: SourceFile) -> None:
        """One thread that reads never waits for another one; hundreds do, for Python's lock."""
        if file.data is not None or file.size >= NEAR or self._turns.over:
            return
        if self._vary or len(self._ahead) >= MOST_AHEAD:  # the user's own code may be slow
            return
        try:
            if self.headers(file.name).gzip:
                return
            body = self._turns.take(lambda: self._body(file, None))
        except Exception:  # noqa: BLE001 - whoever uploads it meets that again, and says so
            return
        if body is not None:
            self._ahead[file.name] = body

    def body(self, file: SourceFile, headers: Headers) -> Body | None:
        """What would be stored for ``file``; ``None`` if it is so large that it must be streamed.

        Raises ``SourceError`` or ``UploadError`` if the file cannot be read, or changes meanwhile.
        """
        ahead = self._ahead.pop(file.name, None)
        if ahead is not None:
            return ahead
        if headers.gzip or file.size >= SMALL:
            return self._body(file, self.compress if headers.gzip else None)
        return self._turns.take(lambda: self._body(file, None))

    def _body(self, file: SourceFile, compress: Compress | None) -> Body | None:
        data = read_source(file, self.large)
        return None if data is None else make_body(data, compress)

    def stream(self, file: SourceFile, headers: Headers, *, md5: bool = True) -> Stream:
        return Stream(file, self.compress if headers.gzip else None, md5=md5)

    def same_bytes(self, file: SourceFile, digest: Digest, remote: RemoteObject) -> bool | None:
        """By MD5 of what would be sent, if the storage shows one; a subclass knows more kinds."""
        kind, _, value = remote.checksum.partition(":")
        if kind != "md5":
            return None
        headers = self.headers(file.name)
        if digest.md5 is not None and not headers.gzip:
            return digest.md5.hex() == value
        with self.flight.hold(min(file.size, self.large)):
            xxh3, md5s = self._md5s(file, headers)
            # A file edited since it was hashed must not be remembered under that hash.
            return value in md5s and xxh3 == digest.xxh3

    def _md5s(self, file: SourceFile, headers: Headers) -> tuple[bytes, list[str]]:
        """The xxh3_128 of the source bytes, and in hex the MD5 of the stored ones; also as another
        version of the libraries would gzip them."""
        body = self.body(file, headers)
        if body is None:
            return self._streamed_md5(file, headers)
        found = [body.md5.hex()]
        if headers.gzip:
            other = hashlib.md5(other_gzip(body.data), usedforsecurity=False)
            found.append(other.hexdigest())
        return body.xxh3, found

    def _streamed_md5(self, file: SourceFile, headers: Headers) -> tuple[bytes, list[str]]:
        with self.stream(file, headers) as stream:
            for _ in stream.parts(MIB):
                pass
            return stream.xxh3, [stream.md5.hex()]

    # -- upload -------------------------------------------------------------------------------

    @abstractmethod
    def put(self, name: str, body: Body, headers: Headers) -> str:
        """Write one object in place. Returns the answer's etag, as the listing will show it.

        Raises ``UploadError`` or ``DestinationError``; retries are the SDK's.
        """

    @abstractmethod
    def put_stream(self, name: str, stream: Stream, headers: Headers) -> str:
        """The same for a large file: read ``stream.parts(...)`` once, with bounded memory, holding
        ``self.flight`` for what is in memory; leave nothing behind on failure."""

    def judge_body(self, name: str, etag: str, body: Body, headers: Headers) -> None:
        """Whether the answer shows damage. ETags, by default; GCS and Azure answer real MD5s."""
        self.judge.see(name, etag, body.md5.hex(), headers.group)

    def upload(self, file: SourceFile) -> Sent:
        headers = self.headers(file.name)
        sent = None
        if file.size < self.large:
            with self.flight.hold(file.size):
                sent = self._upload_whole(file, headers)
        return sent or self._upload_stream(file, headers)

    def _upload_whole(self, file: SourceFile, headers: Headers) -> Sent | None:
        body = self.body(file, headers)
        if body is None:
            return None
        etag = self.put(file.name, body, headers)
        self.judge_body(file.name, etag, body, headers)
        return Sent(etag, body.xxh3, len(body.data), headers.fingerprint)

    def _upload_stream(self, file: SourceFile, headers: Headers) -> Sent:
        with self.stream(file, headers, md5=self.whole_md5) as stream:
            etag = self.put_stream(file.name, stream, headers)
            sent = Sent(etag, stream.xxh3, stream.wire, headers.fingerprint)
            if stream.ended():
                return sent
        message = f"{file.name}: the storage said that it had all of it, and had only a part."
        raise UploadError(message, name=file.name)

    def unjudged(self) -> dict[str, str]:
        return self.judge.unjudged()


def type_suffix(name: str) -> str:
    """The end of ``name`` that ``mimetypes.guess_type`` looks at: ``.js``, ``.tar.gz``; the whole
    name where it might see a URL in it."""
    if ":" in name:
        return name
    stem, _, last = name.rpartition(".")
    if not stem or stem[-1] in "./" or "/" in last:  # as splitext, which is not as quick
        stem, suffix = posixpath.splitext(name)
    else:
        suffix = f".{last}"
    if suffix in mimetypes.encodings_map or suffix.lower() in mimetypes.encodings_map:
        return posixpath.splitext(stem)[1] + suffix
    return suffix
