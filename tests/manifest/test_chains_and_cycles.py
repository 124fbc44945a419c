"""Chains of any length are right; circles are named."""

from __future__ import annotations

import hashlib
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage

from collectfasta.exceptions import PostProcessError
from collectfasta.manifest.cycles import cycles, reaching
from collectfasta.manifest.stack import in_fresh_stack
from tests.manifest import kit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Modules(ManifestStaticFilesStorage):
    support_js_module_import_aggregation = True


class Intermediate(ManifestStaticFilesStorage):
    keep_intermediate_files = True


def chain(length: int, folders: int = 3) -> dict[str, str]:
    """Style sheets that each import the next, across folders; the last one shows an image."""
    names = [f"f{number % folders}/{number}.css" for number in range(length)]
    tree = {name: f'@import "../{following}";\nb{{}}' for name, following in pairwise(names)}
    return {**tree, names[-1]: "a{background:url(../i.png)}", "i.png": "image"}


def assert_every_reference_holds(published: Mapping[str, bytes]) -> None:
    """An independent check: every reference in every hashed style sheet leads to a published name,
    and the hash in each hashed name is that of its bytes."""
    checked = 0
    for name, data in published.items():
        hashed = re.fullmatch(r"(.+)\.([0-9a-f]{12})(\.\w+)", name)
        if not hashed:
            continue
        assert hashed[2] == hashlib.md5(data).hexdigest()[:12]
        for reference in re.findall(rb"\.\./([^\"')]+)", data):
            assert reference.decode() in published
            assert re.search(rb"\.[0-9a-f]{12}\.", reference)
            checked += 1
    assert checked == sum(data.count(b"../") for data in published.values()) // 2


@pytest.mark.parametrize("length", [30, 300, 1000])
def test_a_long_chain_of_imports_is_right(tmp_path: Path, length: int) -> None:
    """Django gives up at six; every reference here leads to bytes with that very hash."""
    found = kit.write_tree(tmp_path / "s", chain(length))
    run = kit.ours(kit.disk(ManifestStaticFilesStorage, tmp_path / "root"), found)
    assert len(run.published) == 2 * len(found) + 1
    assert_every_reference_holds(run.published)
    assert set(run.manifest["paths"]) == set(found)
    assert set(run.manifest["paths"].values()) < set(run.published)


def test_stock_django_gives_up_on_such_a_chain(tmp_path: Path) -> None:
    """Else the test above would show nothing."""
    found = kit.write_tree(tmp_path / "s", chain(30, folders=1))
    with pytest.raises(RuntimeError, match="Max post-process passes"):
        kit.stock(kit.disk(ManifestStaticFilesStorage, tmp_path / "root"), found)


def test_each_file_is_rewritten_once(tmp_path: Path) -> None:
    """However many refer to it, at whatever depth."""
    calls: list[str] = []

    class Counting(ManifestStaticFilesStorage):
        def url_converter(self, name: str, *args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return super().url_converter(name, *args, **kwargs)

    tree = chain(80) | {f"top{n}.css": '@import "f0/0.css";' for n in range(5)}
    kit.ours(kit.disk(Counting, tmp_path / "root"), kit.write_tree(tmp_path / "s", tree))
    assert sorted(calls) == sorted(name for name in tree if name.endswith(".css"))


def test_the_files_of_a_cycle_are_listed(tmp_path: Path) -> None:
    """Two circles, and a file that only refers to one of them."""
    tree = {
        "a.js": 'import {b} from "./b.js";',
        "b.js": 'import {c} from "./c.js";',
        "c.js": 'import {a} from "./a.js";',
        "app.js": 'import {a} from "./a.js";',
        "self.css": "a{background:url(self.css)}",
        "fine.css": "a{background:url(i.png)}",
        "i.png": "image",
    }
    found = kit.write_tree(tmp_path / "s", tree)
    with pytest.raises(PostProcessError) as caught:
        kit.ours(kit.disk(Modules, tmp_path / "root"), found)
    assert str(caught.value).splitlines() == [
        "Post-processing found 2 problems; nothing is published.",
        (
            "a.js: import cycle of 3 files, which can have no names made from their content: "
            "a.js, b.js, c.js"
        ),
        "self.css: refers to itself, so it can have no name made from its content",
    ]
    assert caught.value.name == "a.js"


def test_a_cycle_through_a_name_without_a_hash_settles(tmp_path: Path) -> None:
    """As in Django: if one name does not depend on content, the others can be known."""

    class Partly(Modules):
        def file_hash(self, name: str, content: Any = None) -> Any:
            return None if name == "a.js" else super().file_hash(name, content)

    tree = {
        "b.js": "import {a} from './a.js';\n",
        "a.js": 'import {b} from "./b.js";\n',
        "app.js": 'import {b} from "./b.js";\n',
    }
    found = kit.write_tree(tmp_path / "s", tree)
    expected = kit.stock(kit.disk(Partly, tmp_path / "stock"), found)
    run = kit.ours(kit.disk(Partly, tmp_path / "ours"), found)
    kit.assert_same(run.published, expected)
    assert run.manifest["paths"]["a.js"] == "a.js"


def test_a_cycle_in_djangos_own_passes_is_an_error_too(tmp_path: Path) -> None:
    """Where intermediate files are wanted, Django's words are passed on."""
    tree = {"a.css": "p{background:url(b.css)}", "b.css": "p{background:url(a.css)}"}
    found = kit.write_tree(tmp_path / "s", tree)
    with pytest.raises(PostProcessError, match=r"a\.css, b\.css: Max post-process passes exceeded"):
        kit.ours(kit.disk(Intermediate, tmp_path / "root"), found)


def test_cycles_are_told_from_chains_and_diamonds() -> None:
    """Strongly connected components, of more than one file or with a reference to itself."""
    graph = {
        "a": ["b", "c"], "b": ["d"], "c": ["d"], "d": [],
        "e": ["f"], "f": ["g", "a"], "g": ["e"], "h": ["h"], "i": ["e"],
    }  # fmt: skip
    assert cycles(list(graph), graph) == [["e", "f", "g"], ["h"]]
    assert cycles(["e", "f"], graph) == []
    assert reaching(["e"], graph) == {"e", "f", "g", "i"}
    assert reaching(["d"], graph) == {"a", "b", "c", "d", "e", "f", "g", "i"}


def test_what_a_fresh_stack_raises_reaches_the_caller() -> None:
    """The thread is only a means."""
    with pytest.raises(ValueError, match="lost"):
        in_fresh_stack(lambda: int("lost"))
    assert in_fresh_stack(lambda: 42) == 42
