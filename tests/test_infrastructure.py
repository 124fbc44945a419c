"""The servers and places that other tests stand on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests import servers, support
from tests.places import S3Bucket

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scripts.benchmarks.store import Store

PLACES = ["s3_bucket", "rclone_bucket", "gcs_bucket", "azure_container"]


@pytest.mark.parametrize("fixture", PLACES)
def test_a_place_gives_back_what_was_put(fixture: str, request: pytest.FixtureRequest) -> None:
    """Bytes, names and change tokens, whatever the name holds."""
    place: Any = request.getfixturevalue(fixture)
    name = "a folder/ü #1 50%+.txt"
    place.put(name, b"one")
    before = place.tokens()
    assert place.objects() == {name: b"one"}
    assert place.another().objects() == {}
    place.put(name, b"one")
    assert place.tokens() != before, "a write of the same bytes shows"
    place.delete(name)
    assert place.objects() == {}


def test_memcached_answers_through_django(caches: dict[str, Any]) -> None:
    """The CACHES setting of the fixture reaches a memcached that keeps values."""
    from django.core.cache import cache
    from django.test.utils import override_settings

    with override_settings(CACHES=caches):
        cache.set("key", "value")
        assert cache.get("key") == "value"


def test_a_server_is_gone_when_its_block_ends() -> None:
    """Nothing is left running, and nothing answers on its port."""
    with servers.serve_memcached() as server:
        assert servers.speaks_memcached(server.port)
    assert server.process.poll() is not None
    assert not servers.speaks_memcached(server.port)


def test_a_server_does_not_outlive_a_process_that_is_killed() -> None:
    """Not even one that has no time to end anything."""
    code = (
        "import os, tests.servers\n"
        "with tests.servers.serve_memcached() as server:\n"
        "    print(server.port, flush=True)\n"
        "    os._exit(1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=support.ROOT,
        capture_output=True,
        timeout=100,
        check=False,
    )
    port = int(done.stdout)
    deadline = time.monotonic() + 30
    while servers.speaks_memcached(port) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not servers.speaks_memcached(port)


def test_a_server_that_cannot_start_is_an_error_that_says_why() -> None:
    """What it printed last is in the message."""
    command = ["sh", "-c", "echo no such option; exit 3"]
    with (
        pytest.raises(RuntimeError, match=r"status 3: no such option"),
        servers.serve("sh", lambda _: command, servers.speaks_http),
    ):
        pass


def test_the_callers_settings_do_not_reach_a_test() -> None:
    """Only what the conftest sets itself is there."""
    assert not [name for name in os.environ if name.startswith(("AZURE_", "GOOGLE_"))]
    assert os.environ["AWS_ACCESS_KEY_ID"] == servers.S3_KEY


def test_a_project_runs_in_a_process_of_its_own(
    tmp_path: Path,
    tree: Callable[..., Path],
    project: Callable[..., Path],
    run_command: Callable[..., support.Result],
) -> None:
    """A generated manage.py collects to a disk."""
    settings = {
        "STATICFILES_DIRS": [str(tree({"a.css": "a {}"}))],
        "STATIC_ROOT": str(tmp_path / "out"),
    }
    result = run_command(project(settings))
    assert result.status == 0, result.output
    assert (tmp_path / "out" / "a.css").read_bytes() == b"a {}"


def test_the_fast_store_speaks_s3(store: Store) -> None:
    """boto3 reads what the store holds, under the settings that tests use."""
    from django.core.files.base import ContentFile
    from storages.backends.s3 import S3StaticStorage

    storage = S3StaticStorage(**S3Bucket(store.url, store.name).options("static"))
    storage.save("a.css", ContentFile(b"a {}"))
    assert store.objects["static/a.css"].body == b"a {}"
