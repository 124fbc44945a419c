"""The transport that takes everything: boto3's client, one PutObject a file."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from collectfasta.strategies.gate import Gate
from collectfasta.strategies.s3.errors import ERRORS, status_of
from collectfasta.strategies.s3.etags import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from collectfasta.strategies.s3.client import Connection

MOST = 32
"""Requests in flight. The SDK keeps a core busy with fewer, and has a budget of retries that more
would use up as soon as the store asks all of them to slow down."""

FEW = 0.05
"""Of the answers, refusals that are too many: the SDK does not try often."""

Entry = tuple[str, int, str]
"""Key, size in bytes, ETag without quotes."""


@dataclass(frozen=True, slots=True)
class SdkTransport:
    """Requests for single objects and for pages, through a client that all threads share."""

    connection: Connection
    gate: Gate = field(default_factory=lambda: Gate(MOST, FEW))

    def watch(self) -> None:
        """Hear of each answer that asks for fewer requests, those that are retried included."""
        if self.connection.session is None:  # the user's own client, which is not ours to hook
            return
        self.connection.client.meta.events.register("needs-retry.s3", self._answered)

    def _answered(self, response: Any, **_: Any) -> None:
        if response is not None and response[0].status_code in {429, 503}:
            self.gate.slow_down()

    def put(self, name: str, key: str, data: bytes, params: Mapping[str, Any]) -> str:
        """Write one object. The answer's ETag. Raises what :meth:`Place.file` makes of errors."""
        client, bucket = self.connection.client, self.connection.bucket
        try:
            # As a file, the body goes out in blocks: a socket's time-out covers one block then.
            answer = self.gate.run(
                lambda: client.put_object(Bucket=bucket, Key=key, Body=io.BytesIO(data), **params)
            )
        except ERRORS as error:
            raise self.connection.place.file(error, name) from None
        return plain(answer.get("ETag"))

    def head(self, key: str, extra: Mapping[str, Any]) -> dict[str, Any] | None:
        """HeadObject's answer; ``None`` if there is no such object, or if it cannot be told, as
        where neither listing nor reading is allowed. ``extra``: what reading it takes."""
        client, place = self.connection.client, self.connection.place
        try:
            answer: dict[str, Any] = client.head_object(Bucket=place.bucket, Key=key, **extra)
        except ClientError as error:
            if status_of(error) in {403, 404}:
                return None
            raise place.listing(error) from None
        except ERRORS as error:
            raise place.listing(error) from None
        return answer

    def page(self, prefix: str, after: str, limit: int) -> tuple[list[Entry], bool]:
        """At most ``limit`` objects whose keys come after ``after``, and whether there are more."""
        client, place = self.connection.client, self.connection.place
        start = {"StartAfter": after} if after else {}
        try:
            answer = client.list_objects_v2(
                Bucket=place.bucket, Prefix=prefix, MaxKeys=limit, **start
            )
        except ERRORS as error:
            raise place.listing(error) from None
        return _entries(answer), bool(answer.get("IsTruncated"))

    def pages(self, prefix: str) -> Iterator[list[Entry]]:
        """Everything under ``prefix``, one page after the other."""
        client, place = self.connection.client, self.connection.place
        try:
            for answer in client.get_paginator("list_objects_v2").paginate(
                Bucket=place.bucket, Prefix=prefix
            ):
                yield _entries(answer)
        except ERRORS as error:
            raise place.listing(error) from None

    def delete(self, keys: list[str]) -> list[str]:
        """Delete at most 1000 objects. What could not be deleted, each with the error's code."""
        client, place = self.connection.client, self.connection.place
        batch = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        try:
            answer = client.delete_objects(Bucket=place.bucket, Delete=batch)
        except ERRORS as error:
            raise place.deleting(error) from None
        return [f"{entry['Key']} ({entry['Code']})" for entry in answer.get("Errors", ())]


def _entries(answer: Mapping[str, Any]) -> list[Entry]:
    return [
        (entry["Key"], entry["Size"], plain(entry.get("ETag")))
        for entry in answer.get("Contents", ())
    ]
