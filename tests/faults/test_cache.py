"""What goes wrong between us and the cache: it may cost time, never a wrong result."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests import servers
from tests.faults.conftest import FILES
from tests.support import memcached_caches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scripts.benchmarks.faults import Fault
    from scripts.benchmarks.messages import Request
    from tests.faults.conftest import Site
    from tests.support import Result

pytestmark = pytest.mark.usefixtures("impatient")
PATIENCE = 30


def patient_caches(port: int) -> dict[str, Any]:
    """As a user has it: pymemcache without time-outs."""
    return {
        "default": {
            "BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache",
            "LOCATION": f"127.0.0.1:{port}",
        }
    }


@contextlib.contextmanager
def answering(answer: Callable[[bytes], bytes | None]) -> Iterator[int]:
    """Something that takes memcached's place; ``None`` is silence for ever. Gives its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_sockets: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while (asked := connection.recv(1 << 16)) and (said := answer(asked)) is not None:
                connection.sendall(said)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                open_sockets.append(connection)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
        for connection in open_sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


def warnings(result: Result) -> list[str]:
    return [line for line in result.stderr.split("\n") if line.startswith("Warning: ")]


def is_right(site: Site, result: Result, warned: int = 1) -> bool:
    """Exit 0, everything is there, and the user hears of the cache once."""
    assert result.status == 0, result.output
    assert site.published() == FILES
    assert len(warnings(result)) == warned, result.stderr
    return True


def test_nobody_at_the_address(site: Site) -> None:
    """Connection refused."""
    site.caches = patient_caches(servers.free_port())
    assert is_right(site, site.collect())


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda asked: None, id="hangs at once"),
        pytest.param(
            lambda asked: b"END\r\n" if asked.startswith(b"get") else None, id="hangs at a set"
        ),
        pytest.param(lambda asked: b"\x00\xff garbage\r\n" * 9, id="garbage"),
        pytest.param(lambda asked: b"SERVER_ERROR out of memory\r\n" * 9, id="an error"),
        pytest.param(lambda asked: b"", id="an empty answer"),
    ],
)
def test_something_odd_at_the_address(site: Site, answer: Callable[[bytes], bytes | None]) -> None:
    """The run waits a little, and goes on without."""
    with answering(answer) as port:
        site.caches = patient_caches(port)
        assert is_right(site, site.collect())


def test_a_memcached_killed_in_mid_run(site: Site) -> None:
    """While files are being sent; what was sent is not remembered, the next run proves it anew."""
    with servers.serve_memcached() as server:
        site.caches = memcached_caches(server.address, "killed")

        def kill(request: Request) -> Fault | None:
            if request.operation == "PutObject":
                server.kill()
            return None

        site.store.faults.append(kill)
        assert is_right(site, site.collect())
    site.store.forget()
    assert is_right(site, site.collect())
    assert site.sent() == []


def test_a_memcached_that_evicts_at_once(site: Site) -> None:
    """Filled to the brim by somebody else: what is gone is proven by the storage's checksums."""
    with servers.serve_memcached() as server:
        site.caches = memcached_caches(server.address, "full")
        assert is_right(site, site.collect(), warned=0)
        flood(server.port)
        site.store.forget()
        assert is_right(site, site.collect(), warned=0)
        assert site.sent() == []


def flood(port: int) -> None:
    """More than it holds."""
    value = b"x" * 900_000
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        for number in range(120):
            connection.sendall(b"set f%d 0 0 %d\r\n%b\r\n" % (number, len(value), value))
            assert connection.recv(100) == b"STORED\r\n"


@pytest.mark.parametrize(
    "value", [b"{}", "text", ["a", "list"], {"a.css": ["0" * 32, "e", "f"]}, 7], ids=repr
)
def test_values_that_we_have_not_written(remembering: Site, value: object) -> None:
    """Under our very keys: by another version, or another program."""
    from django.core.cache import caches
    from django.test.utils import override_settings

    from collectfasta.checksums import PAGES, ChecksumCache

    assert is_right(remembering, remembering.collect(), warned=0)
    seen: list[str] = []
    kept = ChecksumCache._page_key

    def noted(self: ChecksumCache, number: int) -> str:
        seen.append(kept(self, number)[:-2])
        return kept(self, number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ChecksumCache, "_page_key", noted)
        assert is_right(remembering, remembering.collect(), warned=0)
    with override_settings(CACHES=remembering.caches):
        caches["default"].set_many({f"{seen[0]}{n:02x}": value for n in range(PAGES)}, None)
    remembering.store.forget()
    assert is_right(remembering, remembering.collect())
    assert remembering.sent() == []
    assert is_right(remembering, remembering.collect(), warned=0)
