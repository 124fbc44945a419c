"""What tests share that is no fixture: trees, projects, runs of the command, and their results."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management import CommandError, call_command
from django.test.utils import override_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parent.parent
COMMAND_SECONDS = 110
"""A run in a subprocess that takes longer has hung; pytest's own limit is a little higher."""

MANAGE = """\
import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
    execute_from_command_line(sys.argv)
"""


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended: its exit status and all that it printed."""

    status: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


def write_tree(folder: Path, files: Mapping[str, bytes | str]) -> Path:
    """Write ``files`` (name → bytes, or text) under ``folder``, which is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def static_storages(backend: str, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A STORAGES setting with ``backend`` for static files."""
    return {
        "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
        "staticfiles": {"BACKEND": backend, "OPTIONS": dict(options or {})},
    }


def memcached_caches(address: str, prefix: str) -> dict[str, Any]:
    """A CACHES setting for a memcached shared with other tests, under a prefix of one's own."""
    return {
        "default": {
            "BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache",
            "LOCATION": address,
            "KEY_PREFIX": prefix,
            "OPTIONS": {"connect_timeout": 5, "timeout": 10},
        }
    }


def collect(*args: str, settings: Mapping[str, Any] | None = None, **options: Any) -> Result:
    """Run ``collectstatic --noinput`` in this process with ``settings`` overridden.

    A CommandError becomes an exit status and a line on stderr, as ``manage.py`` would have it.
    """
    out, err = io.StringIO(), io.StringIO()
    options = {"interactive": False, "stdout": out, "stderr": err, **options}
    status = 0
    with override_settings(**(settings or {})):
        try:
            call_command("collectstatic", *args, **options)
        except CommandError as error:
            status = error.returncode
            err.write(f"{error}\n")
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
    return Result(status, out.getvalue(), err.getvalue())


def write_project(folder: Path, settings: Mapping[str, Any], preamble: str = "") -> Path:
    """A Django project on disk: ``manage.py`` and ``settings.py`` with ``settings`` (plain values)
    over those of ``tests/project``. ``preamble`` is code that runs first.

    The byte code of an earlier ``settings.py`` goes: Python tells two by their size and the second
    in which they were written, and a test writes two of one size within one."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)
    (folder / "manage.py").write_text(MANAGE)
    lines = [f"{name} = {value!r}" for name, value in settings.items()]
    base = (ROOT / "tests" / "project" / "settings.py").read_text()
    (folder / "settings.py").write_text("\n".join([base, preamble, *lines, ""]))
    return folder


def command_env(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a command in a subprocess: ours, and the package on the path."""
    merged = {**os.environ, **(env or {})}
    merged.pop("DJANGO_SETTINGS_MODULE", None)
    merged["PYTHONPATH"] = str(ROOT)
    merged["PYTHONUNBUFFERED"] = "1"
    return merged


def command_line(*args: str) -> list[str]:
    """``manage.py collectstatic --noinput`` with ``args``; to be run in a project's folder."""
    return [sys.executable, "manage.py", "collectstatic", "--noinput", *args]


def run_command(project: Path, *args: str, env: Mapping[str, str] | None = None) -> Result:
    """Run the real ``manage.py collectstatic --noinput`` of ``project`` in a process of its own."""
    done = subprocess.run(
        command_line(*args),
        cwd=project,
        env=command_env(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


def copy_tree(source: Path, target: Path) -> Path:
    """A copy with fresh modification times, as a fresh checkout has them."""
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    return target
