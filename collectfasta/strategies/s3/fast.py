"""The fast transport: obstore, a client in Rust, at a tenth of the SDK's time per request.

It sends what the SDK would send, byte for byte, or hands the file to the SDK: so do objects whose
parameters or keys it cannot express, and requests that it gives up on without a retry, such as a
redirect to another region, which only the SDK follows and explains.
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError
from obstore.store import S3Store

from collectfasta.exceptions import CollectfastaError, DestinationError, UploadError
from collectfasta.strategies.gate import Gate
from collectfasta.strategies.s3.etags import plain
from collectfasta.strategies.s3.shapes import Headers, Shape, as_head, shape_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from collectfasta.strategies.s3.errors import Place
    from collectfasta.strategies.s3.sdk import Entry, SdkTransport

MIB = 1024 * 1024
PAGE = 1000
"""Objects on a page of a listing; more are never asked for."""
ENOUGH = 3
"""Files that only the SDK could write, until it gets them all."""
CONNECT_SECONDS = 10
STORES = 64
"""Each set of x-amz headers needs one, and one more where a first try has failed, for each of three
sizes. Each store has connections of its own."""

RETRIES = 100
"""Within three minutes. A first try has none, so that we hear when the storage is overloaded."""

SHAPES = 10_000
"""Sets of parameters that are remembered as obstore takes them."""

REFUSALS = (BaseError, ValueError, TypeError)
"""What is raised for options that this version does not know, or cannot read."""

FAILURES = (BaseError, FileNotFoundError)
"""What is raised for requests."""

_UNFIT_KEY = re.compile(r"(^|/)(\.{0,2}(/|$))|[\x00-\x1f\x7f]")
"""Keys that obstore refuses or alters: empty, ``.`` and ``..`` segments, control characters."""

_STATUS = re.compile(r"inner: Status \{\s*status: (5\d\d|429|408)")
_NOBODY = re.compile(r"ConnectionRefused|dns error")
"""The SDK, too, could only wait for what is not there."""
_FAILURE = re.compile(r"HttpError \{\s*kind: (\w+)")
_TIMES = ((1, 180), (8, 480), (48, 2600))
"""Up to so many MiB, a request may take so many seconds: a minute at least, and 20 KB/s for each of
the bodies that share the link."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a store reaches the bucket: the arguments of ``S3Store``, as botocore would have it."""

    bucket: str
    config: Mapping[str, Any]
    client: Mapping[str, Any]
    credentials: Callable[[], Any] | None

    def store(self, seconds: float, headers: Headers, retries: int) -> S3Store:
        """A store that by itself retries transport errors, time-outs, and 5xx answers."""
        client: Any = {
            **self.client,
            "timeout": timedelta(seconds=seconds),
            "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
            "default_headers": dict(headers),
        }
        return S3Store(
            self.bucket,
            config=dict(self.config),  # type: ignore[arg-type]  # built key by key
            client_options=client,
            retry_config={
                "max_retries": retries,
                "retry_timeout": timedelta(minutes=3),
                "backoff": {
                    "init_backoff": timedelta(milliseconds=100),
                    "max_backoff": timedelta(seconds=2),
                    "base": 2,
                },
            },
            credential_provider=self.credentials,
        )


class FastTransport:
    """Puts and listings through obstore; ``sdk`` takes what it cannot do."""

    def __init__(self, options: Options, sdk: SdkTransport, threads: int) -> None:
        self._options = options
        self._sdk = sdk
        self.gate = Gate(threads)
        self._stores: dict[tuple[int, Headers, int], S3Store] = {}
        self._shapes: dict[str, Shape | None] = {}
        self._lock = threading.Lock()
        self._looking = options.store(60, (), 3)
        self._overruled = 0
        self._answered = 0.0
        self.gave_up = ""
        """Why everything goes through the SDK by now; empty while it does not."""

    # -- put ----------------------------------------------------------------------------------

    def put(
        self, name: str, key: str, data: bytes, params: Mapping[str, Any], fingerprint: str
    ) -> str:
        """Write one object. ``fingerprint`` stands for ``params``. The answer's ETag."""
        shape = self._shape(params, fingerprint)
        if shape is None or self.gave_up or _UNFIT_KEY.search(key) is not None:
            return self._sdk.put(name, key, data, params)
        began = time.monotonic()
        try:
            etag = self._send(key, data, shape)
        except FAILURES as error:
            others = self._answered > began
            exhausted = _exhausted(error, name, None if others else self._sdk.connection.place)
            if exhausted is not None:
                raise exhausted from None
            return self._second_opinion(name, key, data, params)
        return self._sdk.put(name, key, data, params) if etag is None else etag

    def _send(self, key: str, data: bytes, shape: Shape) -> str | None:
        """The answer's ETag; ``None`` where obstore would need too many stores."""
        attributes, headers = shape
        seconds = _seconds(len(data))
        for retries in (0, RETRIES):
            store = self._store(seconds, headers, retries)
            if store is None:
                return None
            request = partial(
                obstore.put, store, key, data, attributes=attributes, use_multipart=False
            )
            try:
                answer = self.gate.run(request)
            except FAILURES as error:
                if retries or not self._passing(error):
                    raise
            else:
                self._answered = time.monotonic()
                return plain(answer["e_tag"])
        return None

    def _passing(self, error: Exception) -> bool:
        """Whether trying again may help; tells the gate if there are too many of us."""
        text = str(error)
        status = _STATUS.search(text)
        if status is not None:
            if status[1] in {"503", "429"}:
                self.gate.slow_down()
            return True
        return _FAILURE.search(text) is not None

    def _second_opinion(self, name: str, key: str, data: bytes, params: Mapping[str, Any]) -> str:
        """The SDK follows redirects, and its errors have codes."""
        etag = self._sdk.put(name, key, data, params)
        self._overruled += 1
        if self._overruled >= ENOUGH:
            self.gave_up = "the bucket answers obstore otherwise than the SDK"
        return etag

    def _store(self, seconds: int, headers: Headers, retries: int) -> S3Store | None:
        store = self._stores.get((seconds, headers, retries))
        if store is None:
            with self._lock:
                store = self._stores.get((seconds, headers, retries))
                if store is None and len(self._stores) < STORES:
                    store = self._options.store(seconds, headers, retries)
                    self._stores[seconds, headers, retries] = store
        return store

    def _shape(self, params: Mapping[str, Any], fingerprint: str) -> Shape | None:
        try:
            return self._shapes[fingerprint]
        except KeyError:
            shape = shape_of(params)
            if len(self._shapes) < SHAPES:
                self._shapes[fingerprint] = shape
            return shape

    # -- look ---------------------------------------------------------------------------------

    def head(self, key: str) -> dict[str, Any] | None:
        """As HeadObject answers, as far as ``shapes.shows`` says; empty if there is no such object
        or it may not be looked at; ``None`` where the SDK must be asked."""
        if self.gave_up or _UNFIT_KEY.search(key):
            return None
        try:
            found = obstore.get(self._looking, key, options={"head": True})
        except (FileNotFoundError, PermissionDeniedError):
            return {}
        except (BaseError, ValueError):
            return None
        return as_head(found)

    def page(self, prefix: str, after: str) -> tuple[list[Entry], bool] | None:
        """One page of a listing as :meth:`SdkTransport.page` gives it, of ``PAGE`` objects.

        ``None`` where obstore cannot read the page, for example because of a foreign key. Raises
        ``DestinationError`` where nobody answers.
        A key that ends in ``/`` is shown without it.
        """
        folder = prefix.removesuffix("/")
        if (
            self.gave_up
            or (folder and _UNFIT_KEY.search(folder))
            or _UNFIT_KEY.search(after or "x")
        ):
            return None
        try:
            stream = obstore.list(
                self._looking, folder or None, offset=after or None, chunk_size=PAGE
            )
            found = next(iter(stream), [])
        except (BaseError, FileNotFoundError, ValueError) as error:
            if _NOBODY.search(str(error)):
                raise _silent(self._sdk.connection.place) from None
            return None
        entries = [(meta["path"], meta["size"], plain(meta["e_tag"])) for meta in found]
        return entries, len(entries) >= PAGE


def _seconds(size: int) -> int:
    """How long a request with a body of ``size`` bytes may take."""
    if size <= MIB:  # nearly always
        return _TIMES[0][1]
    return next((time for mib, time in _TIMES if size <= mib * MIB), _TIMES[-1][1])


def _exhausted(error: Exception, name: str, place: Place | None) -> CollectfastaError | None:
    """What to say of an error that it is no use to ask the SDK about; ``None`` for others.

    ``place`` is what does not answer; ``None`` if it has answered others meanwhile. obstore's
    errors have no fields: their text shows Rust's structures.
    """
    text = str(error)
    status = _STATUS.search(text)
    if status is not None:
        message = f"{name}: the storage answered {status[1]}, again and again."
        return UploadError(message, name=name)
    failure = _FAILURE.search(text)
    if failure is None:
        return None
    if failure[1] in {"Connect", "Timeout"}:
        if place is not None:
            return _silent(place)
        return UploadError(f"{name}: the storage did not answer, again and again.", name=name)
    return UploadError(f"{name}: the storage cut the connection, again and again.", name=name)


def _silent(place: Place) -> DestinationError:
    return DestinationError(f"The {place} cannot be used: it does not answer.")
