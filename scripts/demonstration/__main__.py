"""The demo: one project, one bucket, the real command three times."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import boto3

from tests import servers

BUCKET = "demo-static"
EDITED = "shop/static/shop/site.css"
HERE = Path(__file__).parent
RUN_SECONDS = 120


def main() -> None:
    """Raises ``SystemExit`` with 1 if anything is not as it should be."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    packages = str(Path(sys.argv[1]).resolve())
    with contextlib.ExitStack() as running:
        folder = running.enter_context(tempfile.TemporaryDirectory())
        s3 = running.enter_context(servers.serve_moto())
        env = environment(s3, packages)
        try:
            memcached = running.enter_context(servers.serve_memcached())
            env["DEMO_MEMCACHED"] = memcached.address
        except servers.Unavailable as error:
            print(f"{error}: nothing is remembered between runs, the bucket's own listing tells.")
        project = Path(folder) / "project"
        shutil.copytree(HERE / "project", project)
        show(project, Bucket(s3, env), env)


def environment(s3: servers.Server, packages: str) -> dict[str, str]:
    """The caller's, without what would lead elsewhere."""
    foreign = ("AWS_", "COLLECTFASTA_", "DEMO_")
    proxies = ("http_proxy", "https_proxy", "all_proxy")
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(foreign) and name.lower() not in proxies
    }
    return env | {
        "AWS_ACCESS_KEY_ID": servers.S3_KEY,
        "AWS_SECRET_ACCESS_KEY": servers.S3_SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "DEMO_BUCKET": BUCKET,
        "DEMO_S3": s3.url,
        "DEMO_PACKAGES": packages,
    }


class Bucket:
    """The bucket, versioned, so that every single write shows."""

    def __init__(self, s3: servers.Server, env: dict[str, str]) -> None:
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=s3.url,
            region_name="us-east-1",
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        )
        self._client.create_bucket(Bucket=BUCKET)
        self._client.put_bucket_versioning(
            Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"}
        )

    def versions(self) -> dict[str, dict[str, Any]]:
        """Every write there has been, by its version."""
        pages = self._client.get_paginator("list_object_versions").paginate(Bucket=BUCKET)
        found = [version for page in pages for version in page.get("Versions", [])]
        return {f"{version['Key']} {version['VersionId']}": version for version in found}

    def md5(self, key: str) -> str:
        """Of the bytes that are there."""
        body = self._client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return hashlib.md5(body, usedforsecurity=False).hexdigest()


def show(project: Path, bucket: Bucket, env: dict[str, str]) -> None:
    """The three runs."""
    everything = collect(project, bucket, env, "1. Everything is new")
    nothing = collect(project, bucket, env, "2. Nothing has changed")
    sheet = project / EDITED
    sheet.write_text(sheet.read_text().replace("#0c7d69", "#0c7d6a"))
    one = collect(project, bucket, env, f"3. One byte of {EDITED} is edited")
    right = bucket.md5("static/shop/site.css") == hashlib.md5(sheet.read_bytes()).hexdigest()
    if nothing or one != ["static/shop/site.css"] or not right:
        sys.exit("This is not what should have happened.")
    print(f"\nAs it should be: {len(everything)} files, then none, then the one that was edited.")


def collect(project: Path, bucket: Bucket, env: dict[str, str], title: str) -> list[str]:
    """Run the command, tell of it, and return the keys that were written."""
    before = bucket.versions()
    print(f"\n== {title}\n$ python manage.py collectstatic --noinput", flush=True)
    start = time.monotonic()
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput"],
        cwd=project,
        env=env,
        timeout=RUN_SECONDS,
        check=True,
    )
    seconds = time.monotonic() - start
    written = [v for name, v in bucket.versions().items() if name not in before]
    size = sum(version["Size"] for version in written)
    print(f"   {seconds:.1f} s, Python's start included. ", end="")
    print(f"The bucket saw {len(written)} writes, {size:,} bytes.", flush=True)
    keys = sorted(version["Key"] for version in written)
    for key in keys[:3]:
        print(f"     {key}")
    if len(keys) > 3:
        print(f"     … and {len(keys) - 3} more")
    return keys


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except subprocess.CalledProcessError as failure:
        sys.exit(f"The command ended with status {failure.returncode}.")
