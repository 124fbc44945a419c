"""What the project asks of its own code, where no linter can tell."""

from __future__ import annotations

import ast
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support import ROOT, command_env

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = ROOT / "collectfasta"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 300
SDKS = ("boto3", "botocore", "google.cloud", "azure", "obstore", "rich", "pymemcache", "storages")


def name_of(module: Path) -> str:
    return module.relative_to(ROOT).as_posix()


@pytest.fixture(params=MODULES, ids=name_of)
def module(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def nodes(module: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(module.read_text()))


def test_a_module_is_short(module: Path) -> None:
    """Under 300 lines."""
    assert len(module.read_text().splitlines()) < LONGEST


def test_a_module_has_a_docstring_if_it_has_code(module: Path) -> None:
    """It says what the module is for."""
    tree = ast.parse(module.read_text())
    assert not tree.body or ast.get_docstring(tree)


def test_nothing_is_left_to_assert(module: Path) -> None:
    """It would be gone under ``python -O``."""
    assert not [node.lineno for node in nodes(module) if isinstance(node, ast.Assert)]


def test_no_handler_takes_everything(module: Path) -> None:
    """A bare ``except`` hides Ctrl-C."""
    handlers = [node for node in nodes(module) if isinstance(node, ast.ExceptHandler)]
    assert not [handler.lineno for handler in handlers if handler.type is None]


def test_every_ignore_has_its_reason(module: Path) -> None:
    """On the same line."""
    marks = ("# noqa", "# type: ignore", "# pragma")
    for number, line in enumerate(module.read_text().splitlines(), 1):
        for mark in marks:
            if mark in line:
                reason = line.partition(mark)[2]
                assert " - " in reason or "  # " in reason, f"line {number}: {line.strip()}"


def imported_by(statement: str, prefixes: tuple[str, ...]) -> list[str]:
    """Which modules that begin with ``prefixes`` a fresh Python has after ``statement``."""
    code = f"import sys\n{statement}\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=command_env(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [
        name
        for name in done.stdout.split()
        if any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)
    ]


def test_the_command_imports_no_sdk() -> None:
    """They are slow to import, and may not be installed."""
    statement = "import collectfasta.management.commands.collectstatic, collectfasta.apps"
    assert imported_by(statement, SDKS) == []


def test_a_run_imports_no_sdk_by_itself() -> None:
    """Only the strategy of a storage imports that storage's SDK."""
    statement = "import collectfasta.pipeline.session, collectfasta.pipeline.console"
    assert imported_by(statement, SDKS) == []


def test_workers_import_neither_django_nor_an_sdk() -> None:
    """They start for each run, and would take half a second for it."""
    assert imported_by("import collectfasta.pipeline.hash", ("django", *SDKS)) == []


def test_the_package_itself_imports_nothing() -> None:
    """Worker processes import it first."""
    assert imported_by("import collectfasta", ("collectfasta",)) == ["collectfasta"]


@pytest.mark.parametrize("sdk", SDKS)
def test_this_test_would_see_an_sdk(sdk: str) -> None:
    """What it looks for is there to be found."""
    assert sdk in imported_by(f"import {sdk}", SDKS)
