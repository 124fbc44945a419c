"""The mixins for third-party files, with our command's post-processing and with Django's."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage

from collectfasta.exceptions import PostProcessError
from collectfasta.storage import AbsentSourceMapsMixin, BundledFilesMixin, ThirdPartyMixin
from tests.manifest import kit

if TYPE_CHECKING:
    from pathlib import Path


class Both(ThirdPartyMixin, ManifestStaticFilesStorage):
    support_js_module_import_aggregation = True


class Strict(AbsentSourceMapsMixin, ManifestStaticFilesStorage):
    source_maps_may_be_absent = False


class Vite(BundledFilesMixin, ManifestStaticFilesStorage):
    bundled_names: ClassVar[str | None] = r"^dist/.*-[\w-]{8}\.\w+$"


class Off(Vite):
    bundled_names = None


MAPS = {
    "a.js": "x()\n//# sourceMappingURL=a.js.map\n",
    "b.css": "x{background:url(i.png)}\n/*# sourceMappingURL=../../b.css.map */",
    "c.js": "x()\n//# sourceMappingURL=c.js.map\n",
    "c.js.map": "{}",
    "i.png": "i",
}
BUNDLE = {
    "dist/app.0123abcd.js": 'import "./gone.js";\n//# sourceMappingURL=app.0123abcd.js.map',
    "dist/app.0123abcd.js.map": "{}",
    "dist/style-4f5a6b7c8d.css": "x{background:url(absent.png)}",
    "page.css": "@import 'dist/style-4f5a6b7c8d.css'; x{background:url(dist/i.0123abcd.png?v=1)}",
    "dist/i.0123abcd.png": "image",
    "jquery.20240101.js": "x()",
    "feedbead.deadbeef.js": "x()",
}


def test_absent_source_maps_are_warnings(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The reference stays; those that are there are hashed. In Django's run the log says it."""
    found = kit.write_tree(tmp_path / "s", MAPS)
    run = kit.ours(kit.disk(Both, tmp_path / "ours"), found)
    assert sorted(run.warnings) == [
        "a.js: its source map 'a.js.map' is absent.",
        "b.css: its source map '../../b.css.map' is absent.",
    ]
    assert run.published[run.manifest["paths"]["a.js"]] == MAPS["a.js"].encode()
    paths = run.manifest["paths"]
    assert paths["c.js.map"].encode() in run.published[paths["c.js"]]
    with caplog.at_level(logging.WARNING, "collectfasta"):
        expected = kit.stock(kit.disk(Both, tmp_path / "stock"), found)
    kit.assert_same(run.published, expected)
    assert set(run.warnings) == set(caplog.messages)


def test_other_references_are_as_strict_as_ever(tmp_path: Path) -> None:
    """And source maps too, if the attribute says so."""
    found = kit.write_tree(tmp_path / "s", MAPS | {"d.css": "x{background:url(no.png)}"})
    with pytest.raises(PostProcessError, match=r"1 problem.*\nd.css:1: reference 'no.png'"):
        kit.ours(kit.disk(Both, tmp_path / "root"), found)
    found = kit.write_tree(tmp_path / "t", {"a.js": MAPS["a.js"]})
    with pytest.raises(PostProcessError, match=r"a.js:2: reference 'a.js.map' not found"):
        kit.ours(kit.disk(Strict, tmp_path / "root"), found)


def test_a_bundlers_files_are_published_as_they_are(tmp_path: Path) -> None:
    """Names and bytes; the manifest lists them, and other files may refer to them."""
    found = kit.write_tree(tmp_path / "s", BUNDLE)
    run = kit.ours(kit.disk(Both, tmp_path / "ours"), found)
    kit.assert_same(run.published, kit.stock(kit.disk(Both, tmp_path / "stock"), found))
    bundled = [name for name in BUNDLE if name.startswith("dist/")]
    for name in bundled:
        assert run.manifest["paths"][name] == name
        assert run.published[name] == BUNDLE[name].encode()
    page = run.published[run.manifest["paths"]["page.css"]]
    assert b'url("dist/style-4f5a6b7c8d.css")' in page
    assert b'url("dist/i.0123abcd.png?v=1")' in page
    for name in ("jquery.20240101.js", "feedbead.deadbeef.js"):
        assert run.manifest["paths"][name] != name
    assert len(run.published) == len(BUNDLE) + 3 + 1
    kit.ours(kit.disk(Both, tmp_path / "again"), found)


def test_an_absent_file_with_a_bundlers_name_is_an_error(tmp_path: Path) -> None:
    """The name alone proves nothing."""
    found = kit.write_tree(tmp_path / "s", {"a.css": "x{background:url(i.0123abcd.png)}"})
    with pytest.raises(PostProcessError, match=r"reference 'i.0123abcd.png' not found"):
        kit.ours(kit.disk(Both, tmp_path / "root"), found)


@pytest.mark.parametrize(("cls", "kept"), [(Vite, True), (Off, False)])
def test_what_a_bundlers_name_is_can_be_said(tmp_path: Path, cls: Any, kept: bool) -> None:
    """Or that there is none."""
    found = kit.write_tree(tmp_path / "s", {"dist/index-BxW3kq9Z.js": "x()"})
    [(name, hashed)] = kit.ours(kit.disk(cls, tmp_path / "root"), found).manifest["paths"].items()
    assert (name == hashed) is kept
