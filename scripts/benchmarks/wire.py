"""HTTP/1.1 as S3 clients speak it, over asyncio: just enough of it, and fast.

One ``Connection`` per socket: it gathers a request, asks its ``Server`` for the answer and writes
that after the server's latency. A client that pipelines is answered in order.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Protocol

from scripts.benchmarks.faults import Fault, Kind
from scripts.benchmarks.messages import (
    HEAD_END,
    Answer,
    ChunkedBody,
    Request,
    parse_head,
    unwrap_aws_chunks,
)

REASONS = {
    200: "OK",
    204: "No Content",
    206: "Partial Content",
    304: "Not Modified",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    412: "Precondition Failed",
    416: "Range Not Satisfiable",
    500: "Internal Server Error",
    503: "Slow Down",
}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
# An answer in a hundredth of this is not worth a pause of the socket.
_SHORTEST_PAUSE = 0.002
_RST_ON_CLOSE = struct.pack("ii", 1, 0)


class Server(Protocol):
    """What a connection asks of the store. ``latency`` is in seconds."""

    latency: float

    def begin(self, request: Request) -> Fault | None:
        """Name the operation, count it in, and say what shall go wrong with it."""

    def answer(self, request: Request, fault: Fault | None) -> Answer:
        """Carry it out."""

    def end(self, request: Request, status: int) -> None:
        """Log it and count it out. Status 0: it got no (whole) answer."""

    def toll(self, size: int) -> float:
        """Seconds until ``size`` bytes more have passed the shared link."""

    def connected(self, connection: Connection, *, alive: bool) -> None:
        """Keep track of the open sockets."""


class Connection(asyncio.Protocol):
    """One client's socket."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        """``server`` answers; ``loop`` is the one that serves this socket."""
        self.server = server
        self.loop = loop
        self.buffer = bytearray()
        self.request: Request | None = None
        self.fault: Fault | None = None
        self.length = 0
        self.chunked: ChunkedBody | None = None
        self.busy = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the new socket."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"a stream is needed, not {transport!r}")
        self.transport = transport
        self.server.connected(self, alive=True)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        """Count out a request that will not be answered."""
        self.server.connected(self, alive=False)
        self._lose()

    def data_received(self, data: bytes) -> None:
        """Let the bytes in, at the link's pace."""
        delay = self.server.toll(len(data))
        if delay > _SHORTEST_PAUSE:
            self.transport.pause_reading()
            self.loop.call_later(delay, self._late, data)
        else:
            self._take(data)

    def _late(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()
        self._take(data)

    def _take(self, data: bytes) -> None:
        self.buffer += data
        if not self.busy:
            try:
                self._advance()
            except ValueError:
                self._write(None, Answer(400))
                self.transport.close()

    def _advance(self) -> None:
        while not self.busy and not self.transport.is_closing():
            if self.request is None and not self._head():
                return
            if not self._body():
                return
            self._carry_out()

    def _head(self) -> bool:
        end = self.buffer.find(HEAD_END)
        if end < 0:
            return False
        request = parse_head(bytes(self.buffer[:end]))
        del self.buffer[: end + 4]
        headers = request.headers
        self.length = int(headers.get("content-length") or 0)
        chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        self.chunked = ChunkedBody() if chunked else None
        self.fault = self.server.begin(request)
        self.request = request
        if "expect" in headers:
            self.transport.write(_CONTINUE)
        return True

    def _body(self) -> bool:
        request = self.request
        if request is None:
            return False
        if self.chunked is not None:
            if not self.chunked.feed(self.buffer):
                return False
            request.body = bytes(self.chunked.decoded)
        elif len(self.buffer) >= self.length:
            request.body = bytes(self.buffer[: self.length])
            del self.buffer[: self.length]
        elif self._struck(Kind.RESET) and len(self.buffer) * 2 >= self.length:
            self._reset()
            return False
        else:
            return False
        if "aws-chunked" in request.headers.get("content-encoding", ""):
            request.body = unwrap_aws_chunks(request.body)
        return True

    def _struck(self, kind: Kind) -> bool:
        return self.fault is not None and self.fault.kind is kind

    def _carry_out(self) -> None:
        request = self.request
        if request is None:
            return
        self.busy = True
        if self._struck(Kind.RESET):
            self._reset()
        elif self.fault is not None and self.fault.kind is Kind.HANG:
            if self.fault.seconds is not None:
                self.loop.call_later(self.fault.seconds, self._reset)
        else:
            answer = self.server.answer(request, self.fault)
            delay = self.server.latency
            if len(answer.body) > 0:
                delay += self.server.toll(len(answer.body))
            if delay > 0:
                self.loop.call_later(delay, self._reply, answer)
            else:
                self._reply(answer)

    def _reply(self, answer: Answer) -> None:
        request = self.request
        if request is None or self.transport.is_closing():
            return
        cut = self._struck(Kind.TRUNCATE)
        self.server.end(request, 0 if cut else answer.status)  # who is answered finds it counted
        self._write(request, answer, cut=cut)
        self.request, self.fault, self.busy = None, None, False
        if cut or request.headers.get("connection", "").lower() == "close":
            self.transport.close()
        elif self.buffer:
            self._take(b"")

    def _write(self, request: Request | None, answer: Answer, *, cut: bool = False) -> None:
        lines = [f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in answer.headers]
        if not any(name == "Content-Length" for name, _ in answer.headers):
            lines.append(f"Content-Length: {len(answer.body)}")
        head = "\r\n".join(lines).encode("latin-1") + HEAD_END
        whole = head if request is not None and request.method == "HEAD" else head + answer.body
        if cut:
            # In the body, or else in the first line: clients forgive a head without end.
            whole = whole[: (len(head) + len(whole)) // 2] if whole != head else head[:8]
        self.transport.write(whole)

    def _reset(self) -> None:
        sock: socket.socket | None = self.transport.get_extra_info("socket")
        if sock is not None and not self.transport.is_closing():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
        self._lose()
        self.transport.abort()

    def _lose(self) -> None:
        if self.request is not None:
            self.server.end(self.request, 0)
            self.request = None
