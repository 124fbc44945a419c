"""Who is timed, and with which command line."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.benchmarks import environments
from scripts.benchmarks.corpora import BenchError

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]
STORAGES = ("s3", "s3-manifest", "disk", "disk-manifest", "gcloud", "azure")
# What each can do; the syncs take a folder that is already collected.
RUNNERS = {
    "ours": STORAGES,
    "stock": STORAGES,
    "collectfasta": ("s3", "s3-manifest", "disk"),
    "enhanced": ("disk-manifest",),
    "aws": ("s3",),
    "s5cmd": ("s3",),
}
MANAGE = """import os
import sys

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench_settings"
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a run takes place. ``dirs``: what Django collects; ``collected``: all in one folder.

    ``root``: the disk storages' destination; ``endpoint``: the cloud's address.
    """

    work: Path
    dirs: tuple[Path, ...]
    collected: Path
    root: Path
    storage: str
    endpoint: str
    memcached: str

    def prepare(self) -> None:
        """Lay out the Django project."""
        self.work.mkdir(parents=True, exist_ok=True)
        (self.work / "manage.py").write_text(MANAGE)
        settings = Path(__file__).with_name("project.py")
        shutil.copyfile(settings, self.work / "bench_settings.py")


def check(runners: Sequence[str], storage: str, venvs: Path) -> list[str]:
    """Those of the runners that can do this storage, ready to run. Raises ``BenchError``."""
    able = [name for name in runners if storage in RUNNERS[name]]
    if not able:
        raise BenchError(f"None of {', '.join(runners)} can write to {storage}.")
    for name in able:
        if name in environments.REQUIREMENTS:
            tool = name if name in {"aws", "s5cmd"} else "python"
            environments.program(name, tool, venvs)
    return able


def command(runner: str, scene: Scene, venvs: Path) -> list[str]:
    """The command line that brings the files to their place."""
    if runner == "aws":
        aws = os.fspath(environments.program("aws", "aws", venvs))
        source = os.fspath(scene.collected)
        options = ["--endpoint-url", scene.endpoint, "--only-show-errors"]
        return [aws, "s3", "sync", source, "s3://static/", *options]
    if runner == "s5cmd":
        s5cmd = os.fspath(environments.program("s5cmd", "s5cmd", venvs))
        source = f"{scene.collected}/"
        return [
            s5cmd, "--log", "error", "--endpoint-url", scene.endpoint,
            "sync", source, "s3://static/",
        ]  # fmt: skip
    python = sys.executable
    if runner in environments.REQUIREMENTS:
        python = os.fspath(environments.program(runner, "python", venvs))
    return [python, "manage.py", "collectstatic", "--noinput"]


def environment(runner: str, scene: Scene) -> dict[str, str]:
    """The environment variables of a run: the machine's, without settings of the user's own."""
    unwanted = (
        "AWS_",
        "COLLECTFASTA_",
        "DJANGO_",
        "PYTHON",
        "AZURE_",
        "GOOGLE_",
        "STORAGE_EMULATOR",
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    env.update(
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_REGION="us-east-1",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        NO_PROXY="127.0.0.1",
        no_proxy="127.0.0.1",
        BENCH=json.dumps(
            {
                "runner": runner,
                "storage": scene.storage,
                "dirs": [os.fspath(folder) for folder in scene.dirs],
                "root": os.fspath(scene.root),
                "memcached": scene.memcached,
                "endpoint": scene.endpoint,
            }
        ),
    )
    if scene.storage == "gcloud":
        env["STORAGE_EMULATOR_HOST"] = scene.endpoint
    if runner == "ours":
        env["PYTHONPATH"] = os.fspath(ROOT)
    return env
