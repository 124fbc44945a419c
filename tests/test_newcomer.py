"""A newcomer's path: an empty folder, a new Django project, and what the README says."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests import documents, servers
from tests.support import command_env

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUCKET = "my-static-files"
LINES = 10
COLLECT = "python manage.py collectstatic --noinput"


@pytest.fixture
def bucket(moto: servers.Server) -> Iterator[Any]:
    """The bucket that the README names, on an S3 of our own; gone afterwards."""
    resource = boto3.resource(
        "s3",
        endpoint_url=moto.url,
        aws_access_key_id=servers.S3_KEY,
        aws_secret_access_key=servers.S3_SECRET,
        region_name="us-east-1",
    )
    bucket = resource.create_bucket(Bucket=BUCKET)
    yield bucket
    bucket.objects.all().delete()
    bucket.delete()


def _settings() -> str:
    """The README's lines for S3, and the one for who has no STORAGES yet."""
    wanted = ("settings.py: only if there is no STORAGES yet", "settings.py: S3")
    found = {block.title: block.text for block in documents.blocks("python", page="README.md")}
    return "".join(found[title] for title in wanted)


def _run(folder: Path, env: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_readme_is_enough(tmp_path: Path, moto: servers.Server, bucket: Any) -> None:
    """From ``startproject`` to files on S3, with no more than ten lines of settings. Only where S3
    is, the README does not say: the SDK's own variable does."""
    env = {**command_env(), "AWS_ENDPOINT_URL": moto.url}
    _run(tmp_path, env, "-m", "django", "startproject", "shop", ".")
    settings = _settings()
    assert len(settings.splitlines()) <= LINES
    with open(tmp_path / "shop" / "settings.py", "a", encoding="utf-8") as file:
        file.write(settings)
    assert COLLECT in [command for _, command in documents.commands()]

    output = _run(tmp_path, env, *COLLECT.split()[1:])
    keys = {entry.key for entry in bucket.objects.all()}
    assert f"{len(keys)} static files copied." in output
    assert "admin/css/base.css" in keys
    assert bucket.Object("admin/css/base.css").content_type == "text/css"
    assert "collectfasta.W002" in output  # the README says that the check will remind them
    assert _is_plain(output)
    output = _run(tmp_path, env, *COLLECT.split()[1:], "-v2")
    assert f"0 static files copied, {len(keys)} unmodified." in output
    assert "admin/css/base.css: skipped, same bytes, headers not checked (here xxh3 " in output
    assert "\nTransport: " in output
    assert _is_plain(output)
    assert set(os.listdir(tmp_path)) == {"manage.py", "shop"}


def _is_plain(output: str) -> bool:
    """In a pipe, not one control character. (The tab is in the hints of Django's checks.)"""
    return all(char.isprintable() or char in "\n\t" for char in output)
