"""Whatever the documents show is run, or at least held against the code."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import shlex
import sys
import tomllib
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from django.contrib.staticfiles.management.commands.collectstatic import Command as StockCommand
from django.core.files.storage import storages
from django.core.management import call_command
from django.test.utils import override_settings

from collectfasta import __version__, checks
from collectfasta.items import Reason
from collectfasta.management.commands.collectstatic import Command
from collectfasta.pipeline.reportfile import write_report
from collectfasta.settings import PREFIX, Settings
from collectfasta.strategies.choice import FAMILIES, GENERIC, load_strategy
from tests import documents, servers
from tests.pipeline.test_reportfile import SENT, SPANS
from tests.pipeline.test_summary import FACTS
from tests.places import S3Bucket
from tests.support import ROOT, Result, collect, write_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.documents import Block

README = ROOT / "README.md"
HOW = ROOT / "docs" / "how-it-works.md"
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
MEMCACHED = {
    "default": {
        "BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache",
        "LOCATION": "127.0.0.1:1",
    }
}
ENVIRONMENT = {
    "MEMCACHED_SERVERS": "127.0.0.1:1,127.0.0.1:2",
    "AZURE_CONNECTION_STRING": (
        f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={servers.AZURE_KEY};"
        "EndpointSuffix=core.windows.net"
    ),
}


def _by_place(block: Block) -> str:
    return block.place


# -- what is shown ------------------------------------------------------------------------------


@pytest.mark.parametrize("block", documents.blocks(), ids=_by_place)
def test_every_block_is_of_a_kind_that_is_tested(block: Block) -> None:
    """And every Python block says which file it is to be."""
    assert block.language in {"console", "json", "python", "text", "yaml"}
    assert block.language != "python" or block.title.startswith(("settings.py", "shop/"))


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The Python modules of the documents, as a package ``shop``; gives the folder it is in."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    for block in documents.blocks("python"):
        if block.title.startswith("shop/"):
            (tmp_path / block.title).write_text(block.text)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


def _settings(block: Block, folder: Path) -> dict[str, Any]:
    """What a settings block sets, run at the end of a settings module."""
    namespace: dict[str, Any] = {
        "os": os,
        "BASE_DIR": folder,
        "INSTALLED_APPS": ["django.contrib.staticfiles"],
        "STORAGES": {"default": {"BACKEND": "django.core.files.storage.FileSystemStorage"}},
        "CACHES": MEMCACHED,
    }
    exec(compile(block.text, block.place, "exec"), namespace)
    return {name: value for name, value in namespace.items() if name.isupper()}


@pytest.mark.parametrize("block", documents.settings_blocks(), ids=_by_place)
def test_settings_work(
    block: Block, shop: Path, monkeypatch: pytest.MonkeyPatch, unique: str
) -> None:
    """As part of a settings module: the checks are silent, the storage gets its strategy."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
    settings = _settings(block, shop)
    with override_settings(**settings):
        assert checks.run() == []
        assert Settings.load().cache in settings["CACHES"]
        if "staticfiles" in settings["STORAGES"]:
            strategy = load_strategy(Settings.load().strategy, storages["staticfiles"])
            assert f"{type(strategy).__module__}.{type(strategy).__qualname__}" != GENERIC
            assert strategy.identity()


@pytest.mark.parametrize("block", documents.blocks("json"), ids=_by_place)
def test_json_is_json(block: Block) -> None:
    """No trailing comma, no comment."""
    assert json.loads(block.text)


def _scripts(tree: Any) -> Iterator[str]:
    """The commands in a CI configuration: ``run`` of GitHub's, ``script`` of GitLab's."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key in ("run", "script"):
                yield from [value] if isinstance(value, str) else value
            else:
                yield from _scripts(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _scripts(value)


@pytest.mark.parametrize("block", documents.blocks("yaml"), ids=_by_place)
def test_yaml_is_yaml_and_collects(block: Block) -> None:
    """A CI recipe without the command would be none."""
    scripts = [*_scripts(yaml.safe_load(block.text))]
    assert any("manage.py collectstatic" in script for script in scripts)


# -- what is to be typed ------------------------------------------------------------------------


def _commands() -> list[str]:
    """Every command of the documents once, those in CI recipes too."""
    found = [command for _, command in documents.commands()]
    for block in documents.blocks("yaml"):
        found += _scripts(yaml.safe_load(block.text))
    return sorted(set(found))


@pytest.fixture(scope="module")
def filled(moto: servers.Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Settings of a project whose static files are on S3 already."""
    source = tmp_path_factory.mktemp("source")
    write_tree(source, {"css/site.css": "body{}", "js/app.js": "1"})
    bucket = S3Bucket.new(moto.url)
    settings = {
        "STORAGES": bucket.storages(),
        "STATICFILES_DIRS": [str(source)],
        "CACHES": MEMCACHED,
    }
    cacheless = {**settings, "CACHES": {"default": {"BACKEND": DUMMY}}}
    assert collect(settings=cacheless).status == 0
    return cacheless


DUMMY = "django.core.cache.backends.dummy.DummyCache"


def _manage(arguments: list[str], settings: dict[str, Any]) -> Result:
    name, *options = arguments
    if name == "collectstatic":
        return collect(*options, settings=settings)
    with override_settings(**settings):
        call_command(name, *options)
    return Result(0, "", "")


@pytest.mark.parametrize("command", _commands())
def test_a_command_does_what_it_is_shown_for(
    command: str, filled: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``manage.py`` runs, ``scripts/…`` is there (CI runs it), what is installed exists."""
    monkeypatch.chdir(tmp_path)
    match shlex.split(command):
        case ["python", "manage.py", *arguments]:
            result = _manage(arguments, filled)
            assert result.status == 0, result.output
            if "--report" in arguments:
                assert json.loads((tmp_path / arguments[-1]).read_text())["schema"] == 1
        case ["python", "-m", "pip", "install", *packages]:
            wanted = re.search(r"collectfasta\[([\w,]+)\]", packages[-1])
            assert wanted is not None
            assert set(wanted[1].split(",")) <= set(EXTRAS)
        case [script] if script.startswith("scripts/"):
            assert os.access(ROOT / script, os.X_OK)
        case ["echo", *_] | ["django-admin" | "cd", *_]:
            pass  # a CI recipe's own
        case other:
            pytest.fail(f"Nothing tests {other}")


# -- what is stated -----------------------------------------------------------------------------


@pytest.mark.parametrize("page", documents.PAGES, ids=documents.name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """Within the repository: the file, and the heading in it."""
    for link in documents.links(page):
        path, _, anchor = link.partition("#")
        if path.startswith("https://"):
            continue
        target = (page.parent / path) if path else page
        assert target.exists(), link
        assert not anchor or anchor in documents.anchors(target), link


def test_the_table_of_settings_is_the_code() -> None:
    """Each setting has its row, with its default."""
    rows = documents.table(README, "Setting")
    assert {name: f"`{field.default!r}`" for name, field in _fields().items()} == {
        name: cells[0] for name, cells in rows.items()
    }


def _fields() -> dict[str, Any]:
    return {PREFIX + field.name.upper(): field for field in fields(Settings)}


def test_the_table_of_options_is_the_code() -> None:
    """Each option that Django's own command does not have."""
    ours = Command().create_parser("manage.py", "collectstatic")
    stock = StockCommand().create_parser("manage.py", "collectstatic")
    options = {option for action in ours._actions for option in action.option_strings}
    options -= {option for action in stock._actions for option in action.option_strings}
    rows = documents.table(README, "Option")
    assert {row.split()[0] for row in rows} == options


def test_the_table_of_decisions_gives_every_reason() -> None:
    """In the words that ``-v2`` prints; but for the one that a custom strategy gives."""
    text = HOW.read_text()
    shown = {
        row.rpartition(" | ")[2].strip(" |").partition(": ")[2]
        for row in text.splitlines()
        if re.search(r"\| (upload|skip): ", row)
    }
    assert shown == {reason.value for reason in Reason if reason is not Reason.CUSTOM}


def test_the_reports_schema_is_the_code(tmp_path: Path) -> None:
    """The example has the keys that a report has, and the table explains them all."""
    write_report(str(tmp_path / "report.json"), FACTS, [SENT], SPANS)
    real = json.loads((tmp_path / "report.json").read_text())
    page = ROOT / "docs" / "report.md"
    (block,) = documents.blocks("json", page="docs/report.md")
    shown = json.loads(block.text)
    for path in ((), ("summary",), ("stages", 0), ("files", 0)):
        assert _keys(shown, path) == _keys(real, path)
    explained = page.read_text()
    for key in [*real["summary"], *real["stages"][0], *real["files"][0]]:
        assert re.search(rf"`(summary\.|files\[\]\.)?{key}`", explained), key


def _keys(tree: Any, path: tuple[Any, ...]) -> list[str]:
    for step in path:
        tree = tree[step]
    return list(tree)


@pytest.mark.parametrize("page", documents.PAGES, ids=documents.name_of)
def test_every_test_that_is_named_exists(page: Path) -> None:
    """``tests/…py::test_…`` is a function of that file."""
    for path, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page.read_text()):
        tree = ast.parse((ROOT / path).read_text())
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert name in names, f"{path}::{name}"


def test_there_is_a_test_for_each_fault() -> None:
    """The table of faults has rows, and each names one."""
    rows = documents.table(ROOT / "docs" / "reliability.md", "Fault")
    assert len(rows) > 10
    assert all(
        re.fullmatch(r"`tests/.+::test_\w+` \|", cells[-1] + " |") for cells in rows.values()
    )


@pytest.mark.parametrize("name", ["check ids", "settings"])
def test_names_in_prose_exist(name: str) -> None:
    """Checks and settings that a document mentions."""
    text = "\n".join(documents.prose(page) for page in documents.PAGES)
    code = (ROOT / "collectfasta" / "checks.py").read_text()
    if name == "check ids":
        found = set(re.findall(r"collectfasta\.[EW]\d{3}", text))
        assert found
        assert all(identity in code for identity in found)
    else:
        found = set(re.findall(r"COLLECTFASTA_[A-Z_]+(?!…)\b", text))
        assert found == set(_fields())


def test_the_changelog_begins_with_this_version() -> None:
    """A release is described before it is made."""
    versions = re.findall(r"^## \[([\d.]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == __version__


# -- worked examples ----------------------------------------------------------------------------


def test_the_strategy_that_decides_does_so(
    shop: Path, s3_bucket: S3Bucket, tree: Callable[..., Path], caches: dict[str, Any]
) -> None:
    """Drafts stay away; what was sent is remembered, and nothing else."""
    source = tree({"drafts/a.css": "a", "b.css": "b", "c.css": "c"})
    module = importlib.import_module("shop.static_strategy")
    heard: list[list[str]] = []

    class Listening(module.InvalidatingStrategy):  # type: ignore[name-defined]  # from the document
        def __init__(self, remote_storage: Any) -> None:
            super().__init__(remote_storage)
            heard.append(self.stale)

    settings = {
        "STORAGES": s3_bucket.storages(),
        "STATICFILES_DIRS": [str(source)],
        "CACHES": caches,
        "COLLECTFASTA_STRATEGY": Listening,
    }
    assert collect(settings=settings).status == 0
    assert s3_bucket.keys() == ["b.css", "c.css"]
    (source / "c.css").write_text("C")
    assert collect(settings=settings).status == 0
    assert [sorted(stale) for stale in heard] == [["b.css", "c.css"], ["c.css"]]


def test_the_strategy_of_a_storage_of_its_own_keeps_the_promises(
    shop: Path, tree: Callable[..., Path], caches: dict[str, Any]
) -> None:
    """Cold, unchanged, with the cache lost, an edit, an object that is gone, ``--clear``."""
    files = {f"css/{number}.css": f"{number:03}" for number in range(50)}
    source = tree(files)
    block = documents.blocks("python", page="docs/writing-a-strategy.md")[-1]
    settings = {**_settings(block, shop), "STATICFILES_DIRS": [str(source)], "CACHES": caches}
    del settings["INSTALLED_APPS"]
    assert "50 static files" in collect(settings=settings).stdout
    assert "0 static files copied, 50 unmodified" in collect(settings=settings).stdout
    forgetful = {**settings, "CACHES": {"default": {"BACKEND": DUMMY}}}
    assert "0 static files copied, 50 unmodified" in collect(settings=forgetful).stdout
    (source / "css" / "7.css").write_text("abc")
    assert "1 static file copied, 49 unmodified" in collect(settings=settings).stdout
    with override_settings(**settings):
        storage = storages["staticfiles"]
        strategy = load_strategy(settings["COLLECTFASTA_STRATEGY"], storage)
        strategy.delete(["css/9.css"])
        storage.put("foreign.css", b"f")
    assert "1 static file copied, 49 unmodified" in collect("--clear", settings=settings).stdout
    with override_settings(**settings):
        found = {name: storage.open(name).read() for name in strategy.list_all()}
    assert found == {**{name: text.encode() for name, text in files.items()}, "css/7.css": b"abc"}


def test_the_storage_with_tolerance_is_recognised(shop: Path) -> None:
    """A subclass, found by its ancestors."""
    storage_class = importlib.import_module("shop.storage").StaticStorage
    names = {f"{base.__module__}.{base.__qualname__}" for base in storage_class.__mro__}
    assert names & set(FAMILIES[0].storages)
