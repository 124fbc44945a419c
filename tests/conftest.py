"""Fixtures that every test may use.

Servers, one of each per xdist worker, started when first asked for, skipped (with the reason)
where they are not installed, unless ``COLLECTFASTA_REQUIRE_SERVERS=1`` makes that an error:

- ``memcached``, ``moto``, ``rclone``, ``azurite``, ``gcs``: a :class:`tests.servers.Server`.

Places of one's own on them, fresh for each test:

- ``caches``: a CACHES setting (memcached, a prefix of its own).
- ``s3_bucket``, ``rclone_bucket``, ``gcs_bucket``, ``azure_container``: see :mod:`tests.places`.
  Each has ``storages(location="", **options)`` (a STORAGES setting), ``objects()`` (key → bytes),
  ``headers(key)``, ``tokens()``, ``put``, ``delete``, ``another()`` (an empty one beside it).
- ``store``: a :class:`scripts.benchmarks.store.Store`, fast, with faults, counts and a log, one per
  test; ``S3Bucket(store.url, store.name).storages()`` is a STORAGES setting for it.

Sources and runs:

- ``tree({"css/a.css": b"..."}, folder="static")`` writes a source tree under ``tmp_path``.
- ``collect(*args, settings={...})`` runs the command in this process, ``run_command(project,
  *args)`` runs ``manage.py`` in a process of its own; both return a :class:`tests.support.Result`.
- ``project(settings, preamble="")`` writes a Django project; gives its folder.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests import servers, support

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from scripts.benchmarks.store import Store
    from tests.places import AzureContainer, GcsBucket, S3Bucket

_FOREIGN = ("COLLECTFASTA_", "AWS_", "GS_", "AZURE_", "GOOGLE_", "STORAGE_EMULATOR")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_REQUIRE = "COLLECTFASTA_REQUIRE_SERVERS"
_FOR_TESTS = (_REQUIRE, "COLLECTFASTA_MODEL_", "COLLECTFASTA_PACKAGES_")


def _own_environment() -> None:
    """The caller's settings, keys and proxies must not reach a test."""
    for name in list(os.environ):
        foreign = name.startswith(_FOREIGN) and not name.startswith(_FOR_TESTS)
        if foreign or name.lower() in _PROXIES:
            del os.environ[name]
    os.environ.update(
        AWS_ACCESS_KEY_ID=servers.S3_KEY,
        AWS_SECRET_ACCESS_KEY=servers.S3_SECRET,
        AWS_DEFAULT_REGION="us-east-1",
        AWS_EC2_METADATA_DISABLED="true",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        DJANGO_SETTINGS_MODULE="tests.project.settings",
    )


def _hear_interrupts() -> None:
    """A job started in the background of a shell inherits SIGINT as ignored, and so would every
    command that a test starts in order to interrupt it."""
    on_main = threading.current_thread() is threading.main_thread()
    if on_main and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure() -> None:
    """Before anything is imported by a test."""
    import django

    _own_environment()
    _hear_interrupts()
    django.setup()


@contextlib.contextmanager
def _server(
    start: Callable[[], AbstractContextManager[servers.Server]],
) -> Iterator[servers.Server]:
    try:
        running = start()
        with running as server:
            yield server
    except servers.Unavailable as error:
        if os.environ.get(_REQUIRE) == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def memcached() -> Iterator[servers.Server]:
    """A real memcached."""
    with _server(servers.serve_memcached) as server:
        yield server


@pytest.fixture(scope="session")
def moto() -> Iterator[servers.Server]:
    """S3 by moto."""
    with _server(servers.serve_moto) as server:
        yield server


@pytest.fixture(scope="session")
def rclone() -> Iterator[servers.Server]:
    """S3 by rclone."""
    with _server(servers.serve_rclone) as server:
        yield server


@pytest.fixture(scope="session")
def azurite() -> Iterator[servers.Server]:
    """Azure Blob Storage by Azurite."""
    with _server(servers.serve_azurite) as server:
        yield server


@pytest.fixture(scope="session")
def gcs() -> Iterator[servers.Server]:
    """Google Cloud Storage by gcp-storage-emulator."""
    with _server(servers.serve_gcs) as server:
        yield server


@pytest.fixture
def unique() -> str:
    """A name that no other test uses; fit for a bucket or a container."""
    return f"t{uuid.uuid4().hex[:20]}"


@pytest.fixture
def caches(memcached: servers.Server, unique: str) -> dict[str, Any]:
    """A CACHES setting: the real memcached, and a prefix that no other test uses."""
    return support.memcached_caches(memcached.address, unique)


@pytest.fixture
def s3_bucket(moto: servers.Server) -> S3Bucket:
    """An empty bucket on moto."""
    from tests.places import S3Bucket

    return S3Bucket.new(moto.url)


@pytest.fixture
def rclone_bucket(rclone: servers.Server) -> S3Bucket:
    """An empty bucket on rclone."""
    from tests.places import S3Bucket

    return S3Bucket.new(rclone.url, rclone.folder)


@pytest.fixture
def gcs_bucket(gcs: servers.Server, monkeypatch: pytest.MonkeyPatch) -> GcsBucket:
    """An empty bucket on the emulator of Google Cloud Storage."""
    from tests.places import GcsBucket

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs.url)
    return GcsBucket.new(gcs.url)


@pytest.fixture
def azure_container(azurite: servers.Server) -> AzureContainer:
    """An empty container on Azurite."""
    from tests.places import AzureContainer

    return AzureContainer.new(servers.azure_connection_string(azurite))


@pytest.fixture
def store() -> Iterator[Store]:
    """The fast S3-speaking store, empty, on a thread of its own."""
    from scripts.benchmarks.store import Store

    with Store() as running:
        yield running


@pytest.fixture
def tree(tmp_path: Path) -> Callable[..., Path]:
    """Write a source tree: ``tree({"a.css": b"..."}, folder="static")`` gives its folder."""

    def write(files: Mapping[str, bytes | str], folder: str = "static") -> Path:
        return support.write_tree(tmp_path / folder, files)

    return write


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Path]:
    """Write a Django project: ``project({"STATIC_ROOT": "..."})`` gives its folder."""

    def write(settings: Mapping[str, Any], preamble: str = "", folder: str = "project") -> Path:
        return support.write_project(tmp_path / folder, settings, preamble)

    return write


@pytest.fixture
def collect() -> Callable[..., support.Result]:
    """The command in this process: see :func:`tests.support.collect`."""
    return support.collect


@pytest.fixture
def run_command() -> Callable[..., support.Result]:
    """The command in a process of its own: see :func:`tests.support.run_command`."""
    return support.run_command
