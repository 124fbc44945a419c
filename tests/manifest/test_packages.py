"""Real npm packages, through the command: on every destination, what Django itself makes of them.

The clouds are those of :mod:`tests.model.clouds`, spoken to by the real SDKs: thousands of objects
take an emulator minutes. ``COLLECTFASTA_PACKAGES_TREES`` names the trees, ``small`` unless it says
otherwise (``small,medium``): those of ``scripts/bench``, fetched once with npm.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
import pytest
from django.contrib.staticfiles.management.commands import collectstatic as stock
from django.contrib.staticfiles.storage import ManifestFilesMixin, ManifestStaticFilesStorage
from django.core.management import call_command
from django.test.utils import override_settings
from storages.backends.azure_storage import AzureStorage
from storages.backends.gcloud import GoogleCloudStorage
from storages.backends.s3 import S3ManifestStaticStorage

from scripts.benchmarks import corpora
from tests import servers, support
from tests.local_places import files_in
from tests.model import clouds
from tests.places import AzureContainer, GcsBucket, S3Bucket
from tests.strategies.service import Answer, Request, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

TREES = os.environ.get("COLLECTFASTA_PACKAGES_TREES", "small").split(",")
ADMIN = Path(django.__file__).parent / "contrib" / "admin" / "static"
DESTINATIONS = ["disk", "s3", "gcs", "azure"]


class Tolerant:
    """What people write so that broken third-party references do not stop them."""

    def hashed_name(self, name: str, *args: Any, **kwargs: Any) -> str:
        try:
            hashed: str = super().hashed_name(name, *args, **kwargs)  # type: ignore[misc]
        except ValueError:
            return name
        return hashed


class Disk(Tolerant, ManifestStaticFilesStorage):
    pass


class DiskModules(Disk):
    """Modules import each other in chains longer than Django's five passes; it needs more."""

    support_js_module_import_aggregation = True
    max_post_process_passes = 50


class S3(Tolerant, S3ManifestStaticStorage):
    pass


class S3Modules(S3):
    support_js_module_import_aggregation = True


class Gcs(Tolerant, ManifestFilesMixin, GoogleCloudStorage):
    pass


class GcsModules(Gcs):
    support_js_module_import_aggregation = True


class Azure(Tolerant, ManifestFilesMixin, AzureStorage):
    pass


class AzureModules(Azure):
    support_js_module_import_aggregation = True


@pytest.fixture(scope="module", params=[*TREES])
def sources(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Settings that collect the tree and the admin's files."""
    try:
        folder = corpora.build(request.param, support.ROOT / ".cache" / "corpora").folder
    except corpora.BenchError as error:  # no npm, or no registry
        if os.environ.get("COLLECTFASTA_REQUIRE_SERVERS") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))
    return {"STATICFILES_DIRS": [str(folder), str(ADMIN)]}


@pytest.fixture(scope="module", params=["", "Modules"])
def expected(
    request: pytest.FixtureRequest,
    sources: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, dict[str, bytes]]:
    """Which kind of class, and what Django's own command publishes with it on a disk."""
    if request.param and sources["STATICFILES_DIRS"][0].endswith("medium"):
        pytest.skip("Django takes minutes over it, and then gives up on a cycle")
    root = tmp_path_factory.mktemp("stock")
    storages = support.static_storages(f"{__name__}.Disk{request.param}")
    with override_settings(**sources, STATIC_ROOT=str(root), STORAGES=storages):
        call_command(stock.Command(), interactive=False, verbosity=0)
    published = files_in(root, Path.read_bytes)
    shutil.rmtree(root)
    assert len(published) > 2_700
    return request.param, published


@pytest.fixture
def serving() -> Iterator[Callable[[Callable[[Request], Answer]], str]]:
    """Serve what answers requests; gives its URL."""
    with contextlib.ExitStack() as stack:
        yield lambda answer: stack.enter_context(serve(answer)).url


@pytest.fixture(params=DESTINATIONS)
def destination(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, Any, Callable[[], Mapping[str, bytes]]]:
    """The backend's name here, a STORAGES setting for a backend, and what is published there."""
    if request.param == "disk":
        root = tmp_path / "ours"

        def local(backend: str) -> dict[str, Any]:
            return support.static_storages(backend, {"location": str(root)})

        return "Disk", local, lambda: files_in(root, Path.read_bytes)
    if request.param == "s3":
        store = request.getfixturevalue("store")
        bucket = S3Bucket(store.url, store.name)

        def objects() -> dict[str, bytes]:
            return {key: bytes(store.objects[key].body) for key in store.objects}

        return "S3", lambda backend: bucket.storages(backend=backend), objects
    cloud = clouds.Google() if request.param == "gcs" else clouds.Azure()
    url = request.getfixturevalue("serving")(cloud.answer)
    if request.param == "gcs":
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        place: Any = GcsBucket(url, "static", None)
        more: dict[str, Any] = {"querystring_auth": False}
    else:
        account = f"AccountName={servers.AZURE_ACCOUNT};AccountKey={servers.AZURE_KEY}"
        endpoint = f"BlobEndpoint={url}/{servers.AZURE_ACCOUNT};{account}"
        place, more = AzureContainer(endpoint, "static", None), {}

    def blobs() -> dict[str, bytes]:
        return {key: blob.body for key, blob in cloud.blobs.items()}

    return request.param.title(), lambda backend: place.storages(backend=backend, **more), blobs


@pytest.mark.timeout(600)
def test_packages_are_published_as_django_publishes_them(
    sources: dict[str, Any],
    expected: tuple[str, dict[str, bytes]],
    destination: tuple[str, Any, Callable[[], Mapping[str, bytes]]],
    caches: dict[str, Any],
) -> None:
    """The same names, every byte, and the manifest's paths and hash."""
    kind, files = expected
    backend, storages, published = destination
    settings = {**sources, "CACHES": caches, "STORAGES": storages(f"{__name__}.{backend}{kind}")}
    result = support.collect(settings=settings)
    assert (result.status, result.stderr) == (0, "")
    found = dict(published())
    assert sorted(found) == sorted(files)
    manifest = "staticfiles.json"
    assert json.loads(found.pop(manifest)) == json.loads(files[manifest])
    assert [name for name in found if found[name] != files[name]] == []
