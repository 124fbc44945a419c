"""Hashes for custom strategies of the original package, and where they are remembered."""

from __future__ import annotations

import hashlib
import logging
import mimetypes
import os
import re
import threading
import weakref
import zlib
from typing import TYPE_CHECKING, Any

from collectfasta.pipeline.workers import DaemonPool
from collectfasta.settings import Settings

if TYPE_CHECKING:
    from django.core.files.storage import Storage

logger = logging.getLogger(__name__)

CHUNK = 1 << 20
CLIENTS = 4
PATIENCE = 10.0
"""Seconds."""

UNIX = 0x03
UNKNOWN = 0xFF
GZIP_CONTENT_TYPES = (
    "text/css",
    "text/javascript",
    "application/javascript",
    "application/x-javascript",
    "image/svg+xml",
)
_OS_BYTE = 9
"""Where a gzip header names the operating system (RFC 1952)."""


def md5(data: bytes | str) -> str:
    """In hex. Text counts as UTF-8."""
    return hashlib.md5(_bytes(data), usedforsecurity=False).hexdigest()


def md5_of(storage: Storage, path: str) -> str:
    """The MD5 in hex of a file of ``storage``, read in parts."""
    digest = hashlib.md5(usedforsecurity=False)
    with storage.open(path) as file:
        for chunk in file.chunks(CHUNK):
            digest.update(_bytes(chunk))
    return digest.hexdigest()


def read(storage: Storage, path: str) -> bytes:
    """The whole of a file of ``storage``."""
    with storage.open(path) as file:
        return _bytes(file.read())


def gzipped(data: bytes | str, system: int) -> bytes:
    """``data`` compressed as the storages do it, with ``system`` in the header: S3's storage writes
    ``UNIX``, Google's ``UNKNOWN``."""
    compressor = zlib.compressobj(zlib.Z_BEST_COMPRESSION, wbits=zlib.MAX_WBITS | 16)
    stream = compressor.compress(_bytes(data)) + compressor.flush()
    return b"%b%c%b" % (stream[:_OS_BYTE], system, stream[_OS_BYTE + 1 :])


def is_gzipped(path: str, storage: object) -> bool:
    """Whether a storage that gzips does it to a file of this name."""
    from django.conf import settings

    content_type, encoding = mimetypes.guess_type(path)
    default = getattr(settings, "GZIP_CONTENT_TYPES", GZIP_CONTENT_TYPES)
    types = getattr(storage, "gzip_content_types", default)
    return encoding is None and (content_type or "application/octet-stream") in types


def signature(storage: Storage, path: str) -> tuple[int, ...] | None:
    """What changes when a local file is written; ``None`` where there is no local file."""
    try:
        status = os.stat(storage.path(path))
    except (OSError, NotImplementedError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _bytes(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else bytes(data)


class HashCache:
    """``COLLECTFASTA_CACHE`` as a strategy sees it. A hint: once it fails, it is left alone.

    One for all threads. It has threads of its own, so that a server that accepts and never answers
    holds up nobody for longer than ``PATIENCE``. Raises only with ``COLLECTFASTA_DEBUG``.
    """

    def __init__(self) -> None:
        settings = Settings.load()
        self._alias = settings.cache
        self._prefix = re.sub(r"[^\w.-]", "_", settings.cache_key_prefix, flags=re.ASCII)[:150]
        self._debug = settings.debug
        self._broken = False
        self._lock = threading.Lock()
        self._pool = DaemonPool(CLIENTS, "collectfasta-hashes")
        weakref.finalize(self, self._pool.shutdown, wait=False)

    def key(self, text: str) -> str:
        """A legal key, whatever ``text`` is."""
        return self._prefix + md5(text.encode("utf-8", "surrogateescape"))

    def get(self, key: str) -> Any:
        return self._ask("get", key)

    def set(self, key: str, value: list[str]) -> None:
        """For good: Django's default would forget it after five minutes."""
        self._ask("set", key, value, timeout=None)

    def delete(self, key: str) -> None:
        self._ask("delete", key)

    def _ask(self, what: str, *args: Any, **kwargs: Any) -> Any:
        if self._broken:
            return None
        try:
            answer = self._pool.submit(self._call, what, args, kwargs)
            return answer.result(PATIENCE)
        except Exception as error:
            if self._debug:
                raise
            self._give_up(error)
            return None

    def _give_up(self, error: Exception) -> None:
        with self._lock:
            known, self._broken = self._broken, True
        if not known:
            logger.warning(
                "The cache %r does not work (%s). The custom strategy goes on without.",
                self._alias,
                type(error).__name__,
            )

    def _call(self, what: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        from django.core.cache import caches

        return getattr(caches[self._alias], what)(*args, **kwargs)
