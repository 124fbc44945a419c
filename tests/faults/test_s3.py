"""What goes wrong between us and an S3-speaking store: through the command, on real sockets."""

from __future__ import annotations

import ssl
import threading
from typing import TYPE_CHECKING

import pytest

from scripts.benchmarks.faults import Fault, Kind
from tests.faults.conftest import FILES
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scripts.benchmarks.messages import Request
    from scripts.benchmarks.store import Store
    from tests.faults.conftest import Site
    from tests.support import Result

KEY = "static/css/b.css"
NAME = "css/b.css"
pytestmark = pytest.mark.usefixtures("impatient")


def in_one_line(result: Result) -> bool:
    """Whether the user is told what has happened in one line, after the summary if there is one."""
    lines = result.stderr.strip().split("\n")
    return "Traceback" not in result.output and (len(lines) == 1 or lines[-2][:10] == "Transport:")


STUMBLES: dict[str, Callable[[Store], object]] = {
    "reset in mid-body": lambda store: store.strike(Kind.RESET, "PutObject", key=KEY, times=1),
    "answer cut short": lambda store: store.strike(Kind.TRUNCATE, "PutObject", key=KEY, times=1),
    "no answer": lambda store: store.strike(Kind.HANG, "PutObject", key=KEY, times=1),
    "500": lambda store: store.fail("PutObject", key=KEY, status=500, times=1),
    "503": lambda store: store.fail("PutObject", key=KEY, status=503, times=1),
    "503 with Retry-After": lambda store: store.fail(
        "PutObject", key=KEY, status=503, retry_after=1, times=1
    ),
    "listing reset": lambda store: store.strike(Kind.RESET, "ListObjectsV2", times=1),
    "listing cut short": lambda store: store.strike(Kind.TRUNCATE, "ListObjectsV2", times=1),
    "listing 500": lambda store: store.fail("ListObjectsV2", status=500, times=1),
    "no listing": lambda store: store.fail("ListObjectsV2", status=403),
}


@pytest.mark.parametrize("fault", STUMBLES.values(), ids=STUMBLES.keys())
def test_what_passes_is_survived(site: Site, fault: Callable[[Store], object]) -> None:
    """Something fails once, and the second try succeeds: exit 0, everything is there."""
    fault(site.store)
    result = site.collect()
    assert result.status == 0, result.output
    assert site.published() == FILES


LASTING: dict[str, tuple[Callable[[Store], object], str]] = {
    "reset in mid-body": (lambda store: store.strike(Kind.RESET, "PutObject", key=KEY), "cut"),
    "no answer": (lambda store: store.hang("PutObject", key=KEY), "answer"),
    "answer cut short": (lambda store: store.strike(Kind.TRUNCATE, "PutObject", key=KEY), "cut"),
    "500": (lambda store: store.fail("PutObject", key=KEY, status=500), "500"),
    "503": (lambda store: store.fail("PutObject", key=KEY, status=503, retry_after=1), "503"),
    "403": (lambda store: store.fail("PutObject", key=KEY, status=403), "denied"),
    "damaged": (lambda store: store.strike(Kind.DAMAGE, "PutObject", key=KEY), "checksum"),
}


@pytest.mark.parametrize(("fault", "word"), LASTING.values(), ids=LASTING.keys())
def test_what_does_not_pass_fails_with_the_name_of_the_file(
    remembering: Site, fault: Callable[[Store], object], word: str
) -> None:
    """Exit 1. The next run, when all is well again, sends that file and no other."""
    fault(remembering.store)
    result = remembering.collect()
    assert result.status == 1
    assert in_one_line(result), result.output
    assert word in result.stderr
    remembering.store.faults.clear()
    if "cannot be used" in result.stderr:
        return  # nothing answers: said of the whole bucket, see below
    assert NAME in result.stderr
    assert {n: d for n, d in remembering.published().items() if n != NAME} == {
        n: d for n, d in FILES.items() if n != NAME
    }
    remembering.store.forget()
    assert remembering.collect().status == 0
    assert remembering.published() == FILES
    assert set(remembering.sent()) <= {NAME}


def test_two_files_that_fail_are_both_named(site: Site) -> None:
    """And the rest is there."""
    site.store.fail("PutObject", key="static/css/*", status=403)
    result = site.collect()
    assert result.status == 1
    assert "css/b.css: " in result.stderr
    assert "css/c.css: " in result.stderr
    assert set(site.published()) == {name for name in FILES if not name.startswith("css/")}


WHOLE: dict[str, tuple[Callable[[Site], object], str]] = {
    "refused": (
        lambda site: site.options.update(endpoint_url=f"http://127.0.0.1:{free_port()}"),
        "does not answer",
    ),
    "no bucket": (lambda site: site.options.update(bucket_name="nobodys"), "no such bucket"),
    "refused key": (lambda site: site.store.refused.add("testing"), "the key is refused"),
    "clock": (
        lambda site: site.store.fail("*", status=403, code="RequestTimeTooSkewed"),
        "clock is wrong",
    ),
    "expired": (
        lambda site: site.store.fail("PutObject", status=400, code="ExpiredToken"),
        "credentials have expired",
    ),
    "expired in mid-run": (
        lambda site: site.store.fail("PutObject", status=400, code="ExpiredToken", after=3),
        "credentials have expired",
    ),
    "listing always 500": (lambda site: site.store.fail("ListObjectsV2"), "cannot be listed"),
    "listing hangs": (lambda site: site.store.hang("ListObjectsV2"), "does not answer"),
}


@pytest.mark.parametrize(("fault", "words"), WHOLE.values(), ids=WHOLE.keys())
def test_a_bucket_that_cannot_be_used_is_one_line(
    remembering: Site, fault: Callable[[Site], object], words: str
) -> None:
    """Exit 1; what was sent before is remembered, what was not is sent by the next run."""
    options = dict(remembering.options)
    fault(remembering)
    result = remembering.collect()
    assert result.status == 1
    assert in_one_line(result), result.output
    assert words in result.stderr
    assert {n: FILES[n] for n in remembering.published()} == remembering.published()
    remembering.store.faults.clear()
    remembering.store.refused.clear()
    remembering.options = options
    before = set(remembering.published())
    remembering.store.forget()
    assert remembering.collect().status == 0
    assert remembering.published() == FILES
    assert not set(remembering.sent()) & before


def test_a_certificate_that_nobody_vouches_for_is_one_line(
    site: Site, certificate: ssl.SSLContext
) -> None:
    """Nothing is sent to who knows whom."""
    with Tls(certificate) as port:
        site.options.update(endpoint_url=f"https://127.0.0.1:{port}")
        result = site.collect()
    assert result.status == 1
    assert in_one_line(result), result.output
    assert "TLS certificate is not accepted" in result.stderr


class Tls:
    """A server that does nothing but shake hands."""

    def __init__(self, context: ssl.SSLContext) -> None:
        import socket

        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> int:
        threading.Thread(target=self._serve, daemon=True).start()
        port: int = self._listener.getsockname()[1]
        return port

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            try:
                self._context.wrap_socket(connection, server_side=True).close()
            except OSError:
                connection.close()

    def __exit__(self, *exc: object) -> None:
        self._listener.close()


@pytest.fixture
def certificate(tmp_path: Path) -> Iterator[ssl.SSLContext]:
    """Signed by nobody but itself."""
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    pem.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    yield context
    pem.unlink()


def test_random_etags_fail_nothing_and_are_remembered(remembering: Site) -> None:
    """As with SSE-KMS: they are no sign of damage, and the second run sends nothing."""
    remembering.store.opaque_etags = True
    assert remembering.collect().status == 0
    remembering.store.forget()
    assert remembering.collect().status == 0
    assert remembering.sent() == []
    remembering.write(a_css=b"A{}")
    assert remembering.collect().status == 0
    assert remembering.sent() == ["a.css"]


def test_a_store_that_throttles_half_of_all_requests_gets_everything(site: Site) -> None:
    """Any of the first tries may be refused; the result is whole."""
    hits = {"n": 0}

    def every_second(request: Request) -> Fault | None:
        hits["n"] += 1
        odd = request.operation == "PutObject" and hits["n"] % 2
        return Fault(Kind.STATUS, 503, "SlowDown", 0) if odd else None

    site.store.faults.append(every_second)
    result = site.collect(COLLECTFASTA_THREADS=1)
    assert result.status == 0, result.output
    assert site.published() == FILES


def test_a_failed_upload_leaves_the_old_object_and_its_record(remembering: Site) -> None:
    """Wholly old, and known to be: undoing the edit needs no upload."""
    assert remembering.collect().status == 0
    remembering.write(css__b_css=b"new")
    remembering.store.fail("PutObject", status=403)
    assert remembering.collect().status == 1
    assert remembering.published() == FILES
    remembering.store.faults.clear()
    remembering.write(css__b_css=FILES[NAME])
    remembering.store.forget()
    assert remembering.collect().status == 0
    assert remembering.sent() == []


def test_what_cannot_be_deleted_is_named(site: Site) -> None:
    """``--clear`` when everything else has succeeded."""
    site.collect()
    (site.source / "f.txt").unlink()
    site.store.fail("DeleteObjects", status=403)
    result = site.collect("--clear")
    assert result.status == 1
    assert in_one_line(result), result.output


def test_a_failed_upload_deletes_nothing(site: Site) -> None:
    """``--clear`` is for success only."""
    site.collect()
    (site.source / "f.txt").unlink()
    site.write(a_css=b"changed")
    site.store.fail("PutObject", status=403)
    assert site.collect("--clear").status == 1
    assert site.published() == FILES
    assert site.store.counts["DeleteObjects"] == 0


def test_errors_in_mid_run_name_the_files_that_failed_before(site: Site) -> None:
    """A file is refused, then the credentials expire: both are told."""
    site.store.fail("PutObject", key=KEY, status=403)
    site.store.fail("PutObject", key="static/f.txt", status=400, code="ExpiredToken")
    result = site.collect(COLLECTFASTA_THREADS=1)
    assert result.status == 1
    assert "credentials have expired" in result.stderr
    assert NAME in result.stderr
