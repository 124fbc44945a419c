"""Large files: multipart uploads in bounded memory that leave no half upload behind."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from s3transfer.utils import ChunksizeAdjuster

from collectfasta.exceptions import UploadError
from collectfasta.pipeline.workers import DaemonPool
from collectfasta.strategies.s3.errors import ERRORS
from collectfasta.strategies.s3.etags import combined, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectfasta.strategies.flight import Flight
    from collectfasta.strategies.s3.client import Connection

Params = Mapping[str, Any]

PART_THREADS = 8
"""Parts of all large files together that are on their way at once."""


@dataclass(frozen=True, slots=True)
class _Target:
    """One upload under way; ``params`` are PutObject's."""

    name: str
    key: str
    upload: str
    params: Params


class Multipart:
    """Uploads large files part by part, several parts at once, whatever their file."""

    def __init__(self, connection: Connection, flight: Flight, part_size: int) -> None:
        self._connection = connection
        self._flight = flight
        self._part_size = part_size
        self._pool = DaemonPool(PART_THREADS, "collectfasta-parts")
        self._open: dict[str, str] = {}
        self._lock = threading.Lock()
        self._stopped = False

    def part_size(self, size: int) -> int:
        """Bytes, as the SDK's own uploader would split a file of ``size`` bytes."""
        adjusted: int = ChunksizeAdjuster().adjust_chunksize(self._part_size, size)
        return adjusted

    def next_part(self, parts: Iterator[bytes], size: int) -> bytes:
        """One part of at most ``size`` bytes, empty at the end. What it weighs is in flight until
        it has been sent, or until somebody gives it back."""
        held = self._weight(size)
        self._flight.take(held)
        part = b""
        try:
            part = next(parts, b"")
        finally:
            self._flight.give(held - self._weight(len(part)))
        return part

    def give_back(self, part: bytes) -> None:
        """``part`` is not, or no longer, in flight."""
        self._flight.give(self._weight(len(part)))

    def send(
        self, name: str, key: str, ahead: list[bytes], following: Iterator[bytes], params: Params
    ) -> tuple[str, str]:
        """Write one object from the part in ``ahead``, which came from ``next_part``, and what
        follows. The list is emptied: nothing must hold a part that is no longer in flight.

        Returns the answer's ETag and the one that the parts' MD5s make.
        """
        try:
            upload = self._begin(key, ahead, params)
            try:
                target = _Target(name, key, upload, params)
                parts = self._send_parts(target, ahead.pop(), following)
                answer = self._complete(target, [part for _, part in parts])
            except BaseException:
                self._abort(key, upload)
                raise
            finally:
                with self._lock:
                    self._open.pop(upload, None)
        except ERRORS as error:
            raise self._connection.place.file(error, name) from None
        return plain(answer.get("ETag")), combined(digest for digest, _ in parts)

    def _weight(self, size: int) -> int:
        return min(size, self._flight.bound)

    def _begin(self, key: str, ahead: list[bytes], params: Params) -> str:
        wanted = self._fitting("CreateMultipartUpload", params)
        try:
            answer = self._client.create_multipart_upload(Bucket=self._bucket, Key=key, **wanted)
        except BaseException:
            self.give_back(ahead.pop())
            raise
        upload: str = answer["UploadId"]
        with self._lock:
            self._open[upload] = key
        return upload

    def _send_parts(
        self, target: _Target, part: bytes, following: Iterator[bytes]
    ) -> list[tuple[bytes, dict[str, Any]]]:
        sending: list[Future[dict[str, Any]]] = []
        digests: list[bytes] = []
        size = len(part)
        try:
            while part:
                digests.append(hashlib.md5(part, usedforsecurity=False).digest())
                sending.append(self._submit(target, len(digests), part))
                part = b""  # it is the pool's now
                if self._stopped:
                    raise UploadError(f"{target.name}: interrupted.", name=target.name)
                _raise_failed(sending)
                part = self.next_part(following, size)
        finally:
            wait(sending)
        return list(zip(digests, (future.result() for future in sending), strict=True))

    def _submit(self, target: _Target, number: int, part: bytes) -> Future[dict[str, Any]]:
        future = self._pool.submit(self._send_part, target, number, part)
        weight = self._weight(len(part))
        future.add_done_callback(lambda _: self._flight.give(weight))
        return future

    def _send_part(self, target: _Target, number: int, part: bytes) -> dict[str, Any]:
        answer = self._client.upload_part(
            Bucket=self._bucket,
            Key=target.key,
            UploadId=target.upload,
            PartNumber=number,
            Body=io.BytesIO(part),
            **self._fitting("UploadPart", target.params),
        )
        checksums = {
            name: value
            for name, value in answer.items()
            if name.startswith("Checksum") and name != "ChecksumType"
        }
        return {"PartNumber": number, "ETag": answer["ETag"], **checksums}

    def _complete(self, target: _Target, parts: list[dict[str, Any]]) -> Params:
        answer: Params = self._client.complete_multipart_upload(
            Bucket=self._bucket,
            Key=target.key,
            UploadId=target.upload,
            MultipartUpload={"Parts": parts},
            **self._fitting("CompleteMultipartUpload", target.params),
        )
        return answer

    def _abort(self, key: str, upload: str) -> None:
        try:
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload)
        except ERRORS:  # what has failed the upload is what the user must hear of
            return

    def interrupt(self) -> None:
        """Abort what is under way, in the background."""
        self._stopped = True
        threading.Thread(target=self._abort_all, name="collectfasta-abort", daemon=True).start()

    def _abort_all(self) -> None:
        with self._lock:
            uploads = list(self._open.items())
        for upload, key in uploads:
            self._abort(key, upload)

    def close(self) -> None:
        self._pool.shutdown(wait=False)

    @property
    def _client(self) -> Any:
        return self._connection.client

    @property
    def _bucket(self) -> str:
        return self._connection.bucket

    def _fitting(self, operation: str, params: Params) -> dict[str, Any]:
        """Those of PutObject's parameters that ``operation`` takes as well."""
        members = self._client.meta.service_model.operation_model(operation).input_shape.members
        return {name: value for name, value in params.items() if name in members}


def _raise_failed(sending: list[Future[dict[str, Any]]]) -> None:
    for future in sending:
        if future.done():
            future.result()
