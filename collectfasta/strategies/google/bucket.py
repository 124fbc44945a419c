"""One bucket through the storage's own client: bounded in time, a connection per thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.cloud.storage import Blob
from google.cloud.storage.retry import DEFAULT_RETRY

from collectfasta.strategies.sessions import CONNECT_SECONDS, READ_SECONDS, widen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TIMEOUT = (CONNECT_SECONDS, READ_SECONDS)

LOOK_SECONDS = 15.0
"""For how long a look is tried again. A wrong address should not take minutes to be told."""

_OURS = ("acl", "content_type")
"""Object parameters that are arguments of an upload, not attributes of a blob."""


class Bucket:
    """Raises the library's own errors. Methods may be called from many threads."""

    def __init__(self, storage: Any, threads: int) -> None:
        self._client = storage.client
        self._bucket = storage.bucket
        self._look: Any = DEFAULT_RETRY.with_timeout(LOOK_SECONDS)
        session = self._client._http
        widen(session, threads)
        sign_in = getattr(getattr(session, "_auth_request", None), "session", None)
        if sign_in is not None:
            widen(sign_in, threads)

    def pages(self, prefix: str, fields: str, **more: Any) -> Any:
        """The SDK's iterator over the objects under ``prefix``."""
        return self._client.list_blobs(
            self._bucket,
            prefix=prefix or None,
            fields=fields,
            timeout=TIMEOUT,
            retry=self._look,
            **more,
        )

    def get(self, key: str) -> Blob | None:
        return self._bucket.get_blob(key, timeout=TIMEOUT, retry=self._look)

    def blob(self, key: str, params: Mapping[str, Any]) -> Blob:
        """A blob to be sent, with the storage's object parameters set as it would set them."""
        blob = Blob(key, self._bucket)
        for attribute, value in params.items():
            if attribute not in _OURS:
                setattr(blob, attribute, value)
        return blob

    def send(self, blob: Blob, content: Any, size: int | None, params: Mapping[str, Any]) -> None:
        """Write ``blob``: one POST up to 8 MiB, else a resumable upload in its ``chunk_size``."""
        blob.upload_from_file(
            content,
            size=size,
            content_type=params["content_type"],
            predefined_acl=params["acl"],
            checksum=None,  # MD5 is sent along, or compared with the answer
            timeout=TIMEOUT,
            retry=DEFAULT_RETRY,
        )

    def delete(self, keys: Sequence[str]) -> list[int]:
        """Delete at most 100 objects in one request; the HTTP status for each of them."""

        def send() -> list[int]:
            with self._client.batch(raise_exception=False) as batch:
                for key in keys:
                    self._bucket.blob(key).delete(timeout=TIMEOUT)
            return [answer.status_code for answer in batch._responses]

        codes: list[int] = self._look(send)()
        return codes
