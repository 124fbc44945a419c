"""Writing through the storage's own ``save``, where the user has replaced what we would bypass."""

from __future__ import annotations

import copy
import hashlib
import threading
from typing import TYPE_CHECKING, Any

import xxhash
from django.core.exceptions import SuspiciousOperation
from django.core.files.base import ContentFile, File
from storages.backends.s3 import S3Storage

from collectfasta.exceptions import UploadError
from collectfasta.items import Sent
from collectfasta.strategies.bodies import changed, read_source, unreadable
from collectfasta.strategies.overrides import overridden
from collectfasta.strategies.ownsave import twin
from collectfasta.strategies.s3.errors import ERRORS
from collectfasta.strategies.s3.etags import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectfasta.items import SourceFile
    from collectfasta.strategies.s3.errors import Place

_WRITES = ("PutObject", "CompleteMultipartUpload")


class OwnSave:
    """The user's storage, called as Django would call it.

    ``digest`` gives the xxh3_128 of a file's bytes, ``look`` the ETag of a key as a HEAD shows it.
    """

    def __init__(
        self,
        storage: Any,
        place: Place,
        digest: Callable[[SourceFile], bytes],
        look: Callable[[str], str],
    ) -> None:
        self._storage = _for_a_run(storage)
        self._place = place
        self._digest = digest
        self._look = look
        self._answers = Answers(self._storage)

    def upload(self, file: SourceFile, key: str, limit: int) -> Sent:
        """Save ``file``. Below ``limit`` bytes it is handed over from memory; a larger one is
        digested before and after, since nobody knows how the storage reads it."""
        data = read_source(file, limit)
        if data is None:
            return self._upload_large(file, key)
        expected = hashlib.md5(data, usedforsecurity=False).hexdigest()
        etag = self._save(file, key, ContentFile(data, name=file.name), expected)
        return Sent(etag, xxhash.xxh3_128_digest(data), len(data))

    def _upload_large(self, file: SourceFile, key: str) -> Sent:
        before = self._digest(file)
        if file.data is not None:
            etag = self._save(file, key, ContentFile(file.data, name=file.name), "")
            return Sent(etag, before, file.size)
        try:
            with open(file.path, "rb") as source:
                etag = self._save(file, key, File(source, name=file.name), "")
        except OSError as error:
            raise unreadable(file, error) from error
        if self._digest(file) != before:
            raise changed(file)
        return Sent(etag, before, file.size)

    def _save(self, file: SourceFile, key: str, content: Any, expected: str) -> str:
        """The ETag to remember: the answer's; where nobody saw that, a HEAD's if it is the MD5 of
        what was given; else none, so that the file is compared again by the next run."""
        name = file.name
        self._answers.forget(key)
        try:
            saved = self._storage.save(name, content)
        except ERRORS as error:
            raise self._place.file(error, name) from None
        except SuspiciousOperation as error:
            raise UploadError(f"{name}: the storage refuses the name.", name=name) from error
        if saved != name:  # it lies where its own get_available_name has put it
            return ""
        etag = self._answers.forget(key)
        if not etag and expected:
            shown = self._look(key)
            etag = shown if shown == expected else ""
        return etag

    def close(self) -> None:
        self._answers.close()


class Answers:
    """The ETags that a storage's client is answered, by key."""

    def __init__(self, storage: Any) -> None:
        self._etags: dict[str, str] = {}
        self._lock = threading.Lock()
        self._events: Any = _events_of(storage)
        self._hooks = [
            hook
            for operation in _WRITES
            for hook in (
                (f"before-parameter-build.s3.{operation}", self._asked),
                (f"after-call.s3.{operation}", self._answered),
            )
        ]
        if self._events is not None:
            for event, handler in self._hooks:
                self._events.register(event, handler)

    def forget(self, key: str) -> str:
        """The last answer for ``key``, once; empty if there was none."""
        with self._lock:
            return self._etags.pop(key, "")

    def _asked(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["collectfasta_key"] = params.get("Key")

    def _answered(self, parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        key = context.get("collectfasta_key")
        if key and "ETag" in parsed:
            with self._lock:
                self._etags[key] = plain(parsed["ETag"])

    def close(self) -> None:
        if self._events is not None:
            for event, handler in self._hooks:
                self._events.unregister(event, handler)


def _events_of(storage: Any) -> Any:
    """Those of the client that the library's ``_save`` uses, if the storage still has one."""
    try:
        return storage.bucket.meta.client.meta.events
    except AttributeError:
        return None


def _for_a_run(storage: Any) -> Any:
    """``storage``, but one that writes in place where it would otherwise rename, and in the thread
    that calls: the program cannot end before the SDK's own threads do, even if a server hangs."""
    config = copy.copy(storage.transfer_config)
    config.use_threads = False
    if overridden(storage, S3Storage, ("get_available_name",)):
        return twin(storage, transfer_config=config)
    return twin(storage, transfer_config=config, file_overwrite=True)
