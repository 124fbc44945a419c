"""A fast S3-speaking store on loopback, with latency, bandwidth, faults and counts under control.

In a test, on a thread of its own::

    with Store() as store:
        store.fail("PutObject", key="*.css", status=503, retry_after=1, times=3)
        ...  # talk to store.url
        assert store.objects["a.css"].body == b"..."

As a process, ``python -m scripts.benchmarks.store --port 0 --latency 25``, it prints its address
and is told what to do through ``POST /-/control``: see ``scripts.benchmarks.control``. It checks no
signatures, speaks path style only and keeps everything in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import socket
import threading
import time
import uuid
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Self

from scripts.benchmarks import control
from scripts.benchmarks.bucket import Bucket, ForeignKeys, ObjectMap
from scripts.benchmarks.faults import Fault, Kind, Link, Troubles
from scripts.benchmarks.messages import Answer, Request, operation_of
from scripts.benchmarks.operations import HANDLERS, error
from scripts.benchmarks.wire import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HOST = "127.0.0.1"
# What the kernel may hold of an upload that the link has not carried yet, in bytes a socket.
_RECEIVE_BUFFER = 64 * 1024


class Entry(NamedTuple):
    """A line of the log. ``status`` 0: the request got no whole answer."""

    method: str
    key: str
    query: str
    status: int


class Store(Troubles):
    """The store. Its attributes may be changed while it runs.

    ``latency``: seconds before each answer, however many wait at once. ``opaque_etags``: no ETag is
    an MD5. ``log`` grows with each request while ``logging`` is on; ``counts`` holds requests by
    operation. What goes wrong: see ``Troubles``.
    """

    def __init__(self, bucket: str = "static", *, latency: float = 0.0, port: int = 0) -> None:
        """``bucket`` is there from the start; ``port`` 0 takes a free one."""
        super().__init__()
        self.name = bucket
        self.port = port
        self.buckets: dict[str, Bucket] = {bucket: Bucket()}
        self.latency = latency
        self.link = Link()
        self.opaque_etags = False
        self.logging = True
        self.log: list[Entry] = []
        self.counts: Counter[str] = Counter()
        self.bytes_in = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self._connections: set[Connection] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://{HOST}:{self.port}"

    @property
    def objects(self) -> ObjectMap:
        """The first bucket's objects by key."""
        return self.buckets[self.name].objects

    # What the tests and the bench set.

    def pretend(self, count: int, stems: Sequence[str] = ("foreign/",)) -> None:
        """Hold ``count`` foreign objects as well: see ``ForeignKeys``."""
        self.buckets[self.name].foreign = ForeignKeys(count, stems)

    def forget(self) -> None:
        """Drop the counts and the log, but no object."""
        self.log.clear()
        self.counts.clear()
        self.bytes_in, self.most_in_flight = 0, self.in_flight

    def wait_for(self, condition: Callable[[Store], bool], timeout: float = 30.0) -> None:
        """Return once ``condition(store)`` holds. Raises ``TimeoutError``."""
        end = time.monotonic() + timeout
        while not condition(self):
            if time.monotonic() > end:
                raise TimeoutError(f"it did not come true in {timeout} s")
            time.sleep(0.002)

    # What the connections ask.

    def begin(self, request: Request) -> Fault | None:
        """Name the operation, count it in, and say what shall go wrong with it."""
        request.operation = operation = operation_of(request)
        self.counts[operation] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        if request.bucket == control.BUCKET:
            return None
        return self.trouble(request)

    def answer(self, request: Request, fault: Fault | None) -> Answer:
        """Carry a request out, or answer with its fault."""
        self.bytes_in += len(request.body)
        if request.bucket == control.BUCKET:
            return control.answer(self, request)
        if fault is not None and fault.kind is Kind.STATUS:
            after = {} if fault.retry_after is None else {"Retry_After": str(fault.retry_after)}
            return error(fault.status, fault.code, **after)
        if request.operation == "CreateBucket":
            self.buckets.setdefault(request.bucket, Bucket())
            return Answer()
        if request.operation == "ListBuckets":
            return error(403, "AccessDenied")
        bucket = self.buckets.get(request.bucket)
        if bucket is None:
            return error(404, "NoSuchBucket")
        handler = HANDLERS.get(request.operation)
        if handler is None:
            return error(400, "NotImplemented")
        if fault is not None and fault.kind is Kind.DAMAGE:
            _damage(request)
        answer = handler(bucket, request)
        if self.opaque_etags or (fault is not None and fault.kind is Kind.OPAQUE):
            return _with_opaque_etag(bucket, request, answer)
        return answer

    def end(self, request: Request, status: int) -> None:
        """Log a request and count it out."""
        self.in_flight -= 1
        if self.logging and request.bucket != control.BUCKET:
            self.log.append(Entry(request.method, request.key, request.text_query(), status))

    def toll(self, size: int) -> float:
        """Seconds until ``size`` bytes more have passed the shared link."""
        return self.link.toll(size) if self.link.rate else 0.0

    def connected(self, connection: Connection, *, alive: bool) -> None:
        """Keep track of the open sockets."""
        if alive:
            self._connections.add(connection)
        else:
            self._connections.discard(connection)

    # Running it.

    async def listen(self) -> asyncio.Server:
        """Serve on the running loop from now on."""
        loop = asyncio.get_running_loop()
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.link.rate:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        sock.bind((HOST, self.port))
        self.port = sock.getsockname()[1]
        return await loop.create_server(lambda: Connection(self, loop), sock=sock, backlog=2048)

    def start(self) -> Self:
        """Serve from a thread; returns once it answers."""
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="store", daemon=True)
        self._thread.start()
        if not ready.wait(30):
            raise TimeoutError("the store did not start")
        return self

    def _run(self, ready: threading.Event) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            over = self._over = asyncio.Event()
            server = await self.listen()
            ready.set()
            await over.wait()
            server.close()  # from Python 3.12 on, waiting for it would wait for all connections
            for connection in list(self._connections):
                connection.transport.abort()

        asyncio.run(serve())

    def stop(self) -> None:
        """End it; hung requests are reset. Safe to call twice."""
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(self._over.set)
            thread.join(30)

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(self, *exc: object) -> None:
        """End it."""
        self.stop()


def _damage(request: Request) -> None:
    if request.body:
        request.body = bytes((request.body[0] ^ 1,)) + request.body[1:]
    request.headers = {
        name: value
        for name, value in request.headers.items()
        if name != "content-md5" and not name.startswith("x-amz-checksum")
    }


def _with_opaque_etag(bucket: Bucket, request: Request, answer: Answer) -> Answer:
    if request.operation not in {"PutObject", "CompleteMultipartUpload"} or answer.status != 200:
        return answer
    old = bucket.objects[request.key]
    etag = uuid.uuid4().hex + ("" if request.operation == "PutObject" else "-1")
    bucket.objects[request.key] = replace(old, etag=etag)
    headers = tuple((n, f'"{etag}"' if n == "ETag" else v) for n, v in answer.headers)
    return replace(
        answer, headers=headers, body=answer.body.replace(old.etag.encode(), etag.encode())
    )


def main(arguments: list[str] | None = None) -> None:
    """Serve as a process of its own until it is ended."""
    parser = argparse.ArgumentParser(prog="python -m scripts.benchmarks.store", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--bucket", default="static")
    parser.add_argument(
        "--latency", type=float, default=25.0, help="milliseconds before each answer"
    )
    parser.add_argument("--bandwidth", type=float, help="Mbit/s of the link that all share")
    parser.add_argument("--rate", type=float, help="requests a second; more get a 503")
    chosen = parser.parse_args(arguments)
    store = Store(chosen.bucket, latency=chosen.latency / 1000, port=chosen.port)
    store.link.rate = chosen.bandwidth * 1e6 / 8 if chosen.bandwidth else None
    store.turnstile.rate = chosen.rate
    store.logging = False
    gc.disable()  # nothing here that counting references would not free

    async def serve() -> None:
        server = await store.listen()
        print(store.url, flush=True)
        await server.serve_forever()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())


if __name__ == "__main__":
    main()
