"""Names, bytes and manifest are Django's own, for every tree that Django can process."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
import pytest
from django.contrib.staticfiles.storage import (
    HashedFilesMixin,
    ManifestStaticFilesStorage,
    StaticFilesStorage,
)
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from collectfasta.exceptions import PostProcessError
from tests.manifest import kit

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = [
    "a.css", "sub/b.css", "sub/c.css", "deep/er/d.css", "x.js", "sub/y.js", "i.png",
    "sub/i.png", "sub/font.eot", "x.js.map", "a b.png",
]  # fmt: skip
REFERENCES = [
    "a.css", "b.css", "sub/b.css", "./c.css", "../a.css", "../i.png", "i.png", "sub/i.png",
    "/static/i.png", "/static/sub/c.css", "/other/i.png", "//cdn/i.png", "https://cdn/i.png",
    "data:image/png;base64,AA==", "#frag", "i.png#frag", "../i.png?v=1", "font.eot?#iefix",
    "sub/font.eot?#iefix", "i.png?x#y", "b.css?v=1", "sub/", "", "a%20b.png", "../a%20b.png",
    "../sub/../i.png", "x.js.map", "../x.js.map", "y.js", "./sub/y.js", "../x.js", "./x.js",
    "../../i.png", "../../../escape.png", "absent.png", "deep/er/d.css", "../deep/er/d.css", "sub",
]  # fmt: skip
SHAPES = [
    'url("{}")', "url('{}')", "url({})", "URL( {} )", '@import "{}";', "@import url({});",
    "/* url({}) */", '"url({})"', "\n/*# sourceMappingURL={} */\n", "/* plain {} */",
    "\n//# sourceMappingURL={}\n", 'import "{}";', 'import x from "{}";', "import {{a}} from '{}'",
    'export * from "{}";\n', 'import("{}")', "// import '{}';\n", "`import '{}'`", "é\u0131\n",
]  # fmt: skip

pieces = st.lists(
    st.builds(
        lambda shape, reference: shape.format(reference),
        st.sampled_from(SHAPES),
        st.sampled_from(REFERENCES),
    ),
    max_size=3,
).map(" ".join)
trees = st.dictionaries(st.sampled_from(NAMES), pieces, max_size=7)


class Plain(ManifestStaticFilesStorage):
    pass


class Tolerant(ManifestStaticFilesStorage):
    """What people write so that broken third-party files do not stop them."""

    def hashed_name(self, name: str, content: Any = None, filename: str | None = None) -> str:
        try:
            return super().hashed_name(name, content, filename)
        except ValueError:
            return name


class Modules(Tolerant):
    support_js_module_import_aggregation = True


class Intermediate(Plain):
    keep_intermediate_files = True


class NoManifest(HashedFilesMixin, StaticFilesStorage):
    """Hashed names only; keeps intermediate files, as is Django's default there."""


class NoManifestClean(NoManifest):
    keep_intermediate_files = False


class Unhashed(Plain):
    """No hash for scripts: files that refer to each other can settle."""

    def file_hash(self, name: str, content: Any = None) -> Any:
        return None if name and name.endswith(".js") else super().file_hash(name, content)


class Modest(Unhashed):
    support_js_module_import_aggregation = True


class OwnConverter(Plain):
    """A converter that lets broken references be."""

    def url_converter(self, *args: Any, **kwargs: Any) -> Callable[..., str]:
        convert = super().url_converter(*args, **kwargs)

        def lenient(match: Any) -> Any:
            try:
                return convert(match)
            except ValueError:
                return match[0]

        return lenient


class OwnPostProcess(Plain):
    """Errors are swallowed after the fact: a pattern that fails changes nothing in its file."""

    def post_process(self, *args: Any, **kwargs: Any) -> Any:
        for name, hashed_name, processed in super().post_process(*args, **kwargs):
            if not isinstance(processed, ValueError):
                yield name, hashed_name, processed


class OwnNames(Plain):
    """Keys and patterns of one's own, and a manifest by another name."""

    manifest_name = "names.json"
    patterns = (
        *ManifestStaticFilesStorage.patterns,
        ("*.map", ((r'(?P<matched>import "(?P<url>.*?)";)', 'import "%(url)s";'),)),
        ("sub/*.css", (r"(?P<matched>url\((?P<quote>['\"]?)(?P<url>.*?)['\"]?\))",)),
    )

    def hash_key(self, name: str) -> str:
        return name.upper()


class Elaborate(Plain):
    """Overrides ``_post_process``: its own passes run."""

    def _post_process(self, *args: Any) -> Any:
        yield from super()._post_process(*args)


CLASSES = [
    Plain, Tolerant, Modules, Intermediate, NoManifest, NoManifestClean, Unhashed, Modest,
    OwnConverter, OwnPostProcess, OwnNames, Elaborate,
]  # fmt: skip


@pytest.mark.parametrize("cls", CLASSES)
@given(tree=trees)
@example(tree={"a.css": '@import "sub/b.css?v=1";', "sub/b.css": "url(i.png)", "sub/i.png": "i"})
@example(tree={"a.css": "url(a.css)"})
@example(tree={"sub/b.css": "url(b.css?v=1) url(c.css)", "sub/c.css": "url(b.css?v=1)"})
@example(tree={"x.js": 'import "./sub/y.js";', "sub/y.js": 'import "../x.js";'})
@example(tree={"a.css": "url(sub)", "sub/i.png": "i"})
@example(tree={"a.css": "url(absent.png) url(i.png)", "i.png": "i"})
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_tree_comes_out_as_djangos_or_fails_in_both(cls: Any, tree: dict[str, str]) -> None:
    """Whatever refers to whatever: what Django publishes we publish, what stops it stops us."""
    with tempfile.TemporaryDirectory() as folder:
        found = kit.write_tree(Path(folder, "source"), tree)
        storage = kit.disk(cls, Path(folder, "root"))
        try:
            expected = kit.stock(storage, found)
        except Exception:  # noqa: BLE001 - whatever stops Django
            expected = None
        live = kit.disk(cls, Path(folder, "root"))
        if expected is None:
            with pytest.raises(PostProcessError):
                kit.ours(live, found)
        else:
            run = kit.ours(live, found)
            name = getattr(cls, "manifest_name", kit.MANIFEST)
            for files in (run.published, expected):
                if name in files:
                    files[kit.MANIFEST] = files.pop(name)
            kit.assert_same(run.published, expected)


@pytest.mark.parametrize("cls", [Tolerant, Modules])
@pytest.mark.parametrize("mode", ["memory", "files"])
def test_djangos_admin_comes_out_the_same(tmp_path: Path, cls: Any, mode: str) -> None:
    """A real tree, with and without rewriting of imports, in both modes."""
    found = kit.walk(Path(django.__file__).parent / "contrib/admin/static")
    expected = kit.stock(kit.disk(cls, tmp_path / "stock"), found)
    run = kit.ours(kit.disk(cls, tmp_path / "ours"), found, mode=mode)
    kit.assert_same(run.published, expected)
    assert len(found) > 100
    held = [file for file in run.processed.hashed if file.data is not None]
    assert bool(held) == (mode == "memory")
    assert all(bytes_ != Path(file.path).read_bytes() for file in held if (bytes_ := file.data))


def test_a_second_run_over_what_django_left_comes_out_the_same(tmp_path: Path) -> None:
    """The destination's old hashed files change nothing."""
    found = kit.write_tree(tmp_path / "s", {"a.css": "url(i.png)", "i.png": "i"})
    storage = kit.disk(Plain, tmp_path / "root")
    expected = kit.stock(storage, found)
    run = kit.ours(storage, found)
    assert [file.data for _, file in run.processed.manifest] == [expected[kit.MANIFEST]]
    kit.assert_same(run.published, expected)


def test_imports_beyond_djangos_depth_in_a_bundle_with_many_imports(tmp_path: Path) -> None:
    """Searching stops behind the last ``from './x'``; what comes before is found as ever."""
    text = 'import a from "./a.js";\nimport "./b.js";\n' + "import { x\n" * 30 + "y\n;"
    tree = {"m.js": text + 'export * from "./a.js";\n' + "import {\n" * 50, "a.js": "", "b.js": ""}
    found = kit.write_tree(tmp_path / "s", tree)
    expected = kit.stock(kit.disk(Modules, tmp_path / "stock"), found)
    shutil.rmtree(tmp_path / "stock")
    kit.assert_same(kit.ours(kit.disk(Modules, tmp_path / "ours"), found).published, expected)
