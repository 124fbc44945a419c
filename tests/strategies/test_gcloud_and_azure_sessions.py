"""The SDKs' sessions: as wide as the threads, patient with large bodies, otherwise left alone."""

from __future__ import annotations

import socket
import threading

import pytest
import requests
from requests.adapters import HTTPAdapter

from collectfasta.strategies.sessions import PatientAdapter, widen


def test_pools_are_as_wide_as_the_threads() -> None:
    """And the retries of the present adapters stay."""
    session = requests.Session()
    session.mount("https://", HTTPAdapter(max_retries=3))
    widen(session, 40)
    for prefix, retries in (("https://", 3), ("http://", 0)):
        adapter = session.adapters[prefix]
        assert isinstance(adapter, PatientAdapter)
        assert adapter._pool_maxsize == 40
        assert adapter.max_retries.total == retries


def test_an_adapter_of_the_users_own_stays() -> None:
    """It may hold a client certificate."""

    class Mine(HTTPAdapter):
        pass

    session = requests.Session()
    mine = Mine()
    session.mount("https://", mine)
    widen(session, 40)
    assert session.adapters["https://"] is mine


@pytest.mark.parametrize("prefixes", [(), ("http://",)])
def test_a_session_without_adapters_is_left_so(prefixes: tuple[str, ...]) -> None:
    """A test double of somebody's."""
    session = requests.Session()
    session.adapters.clear()
    for prefix in prefixes:
        session.mount(prefix, HTTPAdapter())
    widen(session, 4)
    assert sorted(session.adapters) == sorted(prefixes)


def test_a_large_body_on_a_slow_link_is_no_timeout() -> None:
    """It takes five times as long as nothing may stand still; what counts is that it moves."""
    size, still = 4_000_000, 0.4
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
    pause = threading.Event()

    def read_slowly() -> None:
        connection, _ = listener.accept()
        with connection:
            missing = size
            while missing > 0 and (data := connection.recv(size // 20)):
                missing -= len(data)
                pause.wait(still / 40)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    reader = threading.Thread(target=read_slowly, daemon=True)
    reader.start()
    session = requests.Session()
    widen(session, 2)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    try:
        answer = session.put(url, data=b"x" * size, timeout=(still, 20))
        assert (answer.status_code, answer.text) == (200, "ok")
    finally:
        pause.set()
        listener.close()
        reader.join(10)
