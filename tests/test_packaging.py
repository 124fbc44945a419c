"""What is published: a wheel with the package and nothing else, and metadata that hold."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from typing import TYPE_CHECKING

import pytest

from tests.support import ROOT, command_env

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def run(folder: Path, *args: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *args],
        cwd=folder,
        env=command_env({"NO_COLOR": "1"}),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution, made from a copy of the project: a tree
    with environments and caches in it takes the builder minutes to walk."""
    heavy = shutil.ignore_patterns(".*", "__pycache__")
    copy = shutil.copytree(ROOT, tmp_path_factory.mktemp("project") / "copy", ignore=heavy)
    run(copy, "build", "--no-isolation", "--sdist", "--wheel", "--outdir", "dist")
    return copy / "dist"


def test_the_wheel_holds_the_package_and_nothing_else(dist: Path) -> None:
    """Every module, the mark that it is typed, no tests, no scripts."""
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        names = wheel.namelist()
    tops = {name.partition("/")[0].rpartition(".")[2] for name in names}
    assert tops == {"collectfasta", "dist-info"}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "collectfasta").rglob("*.py")}
    assert modules | {"collectfasta/py.typed"} == {
        name for name in names if name.startswith("collectfasta/")
    }
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_the_source_distribution_holds_no_tests(dist: Path) -> None:
    """Nor anything that lies about in the folder."""
    with tarfile.open(next(dist.glob("*.tar.gz"))) as source:
        tops = {name.split("/")[1] for name in source.getnames()}
    wanted = {"collectfasta", "README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml"}
    assert tops - {"PKG-INFO", ".gitignore"} == wanted


def test_the_metadata_name_the_extras(dist: Path) -> None:
    """Those that users are told of; only Django and xxhash are always needed."""
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith("/METADATA"))
        metadata = Parser().parsestr(wheel.read(name).decode())
    assert {"s3", "gcloud", "azure", "memcached", "all"} <= set(
        metadata.get_all("Provides-Extra", [])
    )
    needed = [each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each]
    assert sorted(each.partition(">")[0] for each in needed) == ["django", "xxhash"]


def test_the_index_would_take_it(dist: Path) -> None:
    """Its own checker finds nothing."""
    assert "PASSED" in run(dist, "twine", "check", "--strict", *map(str, sorted(dist.iterdir())))
