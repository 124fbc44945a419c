"""What the workers find in a file, and what they need not look for."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from django.contrib.staticfiles.storage import HashedFilesMixin
from hypothesis import given, settings
from hypothesis import strategies as st

from collectfasta.manifest import scan
from collectfasta.manifest.literals import ends_with_from, required, start
from collectfasta.manifest.matching import Rule, Text
from collectfasta.manifest.overlay import in_ignored_block
from collectfasta.manifest.rules import Rules
from collectfasta.manifest.scan import Job, Scan, scan_batch, scan_bytes

if TYPE_CHECKING:
    from pathlib import Path


def rule(pattern: str, flags: int = re.IGNORECASE, *, from_last: bool = False) -> Rule:
    compiled = re.compile(pattern, flags)
    return Rule(pattern, compiled.flags, required(compiled), start(compiled), from_last)


def djangos_rules() -> list[Rule]:
    """Every pattern of this Django."""
    _, modules = HashedFilesMixin._js_module_import_aggregation_patterns
    patterns = [entry for _, entries in HashedFilesMixin.patterns for entry in entries]
    sources = [entry if isinstance(entry, str) else entry[0] for entry in (*patterns, *modules)]
    compiled = {"*.x": [(re.compile(source, re.IGNORECASE), "") for source in sources]}
    rules = Rules(compiled)
    return rules.groups[rules.group("a.x")]


@pytest.mark.parametrize(
    ("pattern", "flags", "expected"),
    [
        ("abcd", 0, [(b"abcd", False)]),
        ("abCd", re.IGNORECASE, [(b"abcd", True)]),
        ("(?i:abcd)efgh", 0, [(b"abcd", True), (b"efgh", False)]),
        ("abcd(?-i:EFGH)", re.IGNORECASE, [(b"EFGH", False), (b"abcd", True)]),
        ("(abcd)?efgh", 0, [(b"efgh", False)]),
        ("(abcd)+x", 0, [(b"abcd", False)]),
        ("abcd|efgh", 0, []),
        ("a.b", 0, [(b"a", False)]),
        ("/\\*#=", re.IGNORECASE, [(b"/*#=", False)]),
        ("éabc.def", 0, [(b"def", False)]),
        ("é", 0, []),
        (".*", 0, []),
    ],
)
def test_texts_that_a_pattern_cannot_match_without(
    pattern: str, flags: int, expected: list[tuple[bytes, bool]]
) -> None:
    """The longer ones first; nothing that is optional or one of several."""
    assert list(required(re.compile(pattern, flags))) == expected


@pytest.mark.parametrize(
    ("pattern", "flags", "expected"),
    [
        ("abcd.", 0, (b"abcd", False)),
        ("(?m)^(?P<x>abCd.)", re.IGNORECASE, (b"abcd", True)),
        ("(?-i:abCd)", re.IGNORECASE, (b"abCd", False)),
        ("\\bab", 0, None),
        (".abcd", 0, None),
        ("éabc", 0, None),
        ("abc?d", 0, None),
        ("(?<=x)abcd", 0, None),
        ("abcd|efgh", 0, None),
    ],
)
def test_text_that_a_pattern_begins_with(
    pattern: str, flags: int, expected: tuple[bytes, bool] | None
) -> None:
    """Anchors and groups aside; nothing that is optional or one of several."""
    assert start(re.compile(pattern, flags)) == expected


def test_every_pattern_of_django_has_a_text_to_look_for() -> None:
    """Else the scan would be slow."""
    for one in djangos_rules():
        assert any(len(text) >= 4 for text, _ in one.literals), one


def test_without_the_parser_every_pattern_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no public interface."""

    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", absent)
    assert required(re.compile("abcd")) == ()
    assert start(re.compile("abcd")) is None


def test_two_of_djangos_patterns_end_with_from() -> None:
    """Import and export; ``import('./x')`` and ``import './x'`` do not."""
    assert [one.pattern[12:18] for one in djangos_rules() if one.from_last] == ["import", "export"]
    assert not ends_with_from(r"\s*from\s*['\"](?P<url>[./].*?)['\"]\s*;)|other")


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "import", "export", " ", "{", "x", "*", " from ", "from", "'./a'", '"./b";', "'",
                '"', ";", "\n", "./", "url(", ")", "@import ", "//# sourceMappingURL=", "\u0130",
                "/*# sourceMappingURL=a */", "IMPORT", "\u0131mport", "as", "é", "(", "url(b)",
            ]
        ),
        max_size=25,
    ).map("".join)
)  # fmt: skip
def test_the_scan_finds_what_the_patterns_find(text: str) -> None:
    """No match is ever lost to a text not found, or to the end of the search."""
    rules = djangos_rules()
    found = scan_bytes(text.encode(), rules, None)
    urls = set()
    for index, one in enumerate(rules):
        pattern = re.compile(one.pattern, one.flags)
        matches = list(pattern.finditer(text))
        assert bool(found.hits >> index & 1) == bool(matches)
        assert Text(text).holds(one) or not matches
        assert list(map(repr, Text(text).matches(one))) == list(map(repr, matches))
        assert Text(text).substituted(one, str) == pattern.sub(str, text)
        urls |= {match["url"] for match in matches}
    assert set(found.urls) == urls


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 1 << 18])
def test_pieces_of_any_size_find_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    """A text, or a letter of several bytes, may lie across two of them."""
    monkeypatch.setattr(scan, "CHUNK", chunk)
    files = {
        "match": "é 𝄞 abcdURL(x) é",
        "folded": "abc \u0130MPORT",
        "none": "é 𝄞 url x",
        "ascii": "plain",
        "empty": "",
    }
    groups = [[rule(r"url\((?P<url>.)\)"), rule("import")], [rule("x"), rule("no group")], []]
    jobs = []
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        jobs.append(Job(str(tmp_path / name), 0))
    scans = scan_batch(jobs, groups, md5=True)
    assert [one.hits for one in scans] == [1, 2, 0, 0, 0]
    assert scans[0].urls == ("x",)
    assert [one.md5 for one in scans] == [
        hashlib.md5(text.encode()).digest() for text in files.values()
    ]
    (tmp_path / "match").write_text("has no group: x")
    [one] = scan_batch([Job(str(tmp_path / "match"), 1)], groups, md5=False)
    assert one == Scan(hits=3)
    assert scan_batch([Job(str(tmp_path / "match"), 2)], groups, md5=False) == [Scan()]


@pytest.mark.parametrize("chunk", [1, 3, 1 << 18])
@pytest.mark.parametrize("data", [b"ab\xffc", b"abc\xf0\x9d", b"\xc3", b"\xc3abc", b"\xed\xa0\x80"])
def test_bytes_that_are_not_utf8_are_told_exactly_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, chunk: int
) -> None:
    """The same as decoding the whole."""
    monkeypatch.setattr(scan, "CHUNK", chunk)
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(UnicodeDecodeError) as error:
        data.decode()
    [one] = scan_batch([Job(str(tmp_path / "a"), 0)], [[rule("import")]], md5=False)
    assert one.problem.startswith(f"byte {error.value.start} (0x")


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """With the system's reason; and nothing is read that nobody wants to know of."""
    missing = str(tmp_path / "missing")
    assert (
        scan_batch([Job(missing, -1), Job(missing, 0)], [[]], md5=True)
        == [Scan(unread="No such file or directory")] * 2
    )
    assert scan_batch([Job(missing, -1)], [], md5=False) == [Scan()]


def test_a_search_for_imports_does_not_run_to_the_end_for_each(tmp_path: Path) -> None:
    """A bundle of a megabyte that says ``import`` and never ``from './'``: minutes, if tried."""
    text = "import { a\n" * 100_000
    (tmp_path / "a").write_text(text)
    rules = [one for one in djangos_rules() if one.from_last]
    assert scan_batch([Job(str(tmp_path / "a"), 0)], [rules], md5=False) == [Scan()]
    (tmp_path / "a").write_text('import a from "./a";\n' + text + "from nowhere")
    [one] = scan_batch([Job(str(tmp_path / "a"), 0)], [rules], md5=False)
    assert one.urls == ("./a",)


def test_workers_load_no_django() -> None:
    """Start-up time is part of our speed."""
    code = "import sys, collectfasta.manifest.scan; print('django' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


@given(st.text("ab/*\"'\\ \n", max_size=30), st.integers(0, 30))
def test_a_place_in_a_comment_is_found_as_django_finds_it(text: str, place: int) -> None:
    """By bisection, instead of going through all comments for each reference."""
    blocks = [match.span() for match in re.finditer(r"/\*.*?\*/|\"[^\"]*\"|'[^']*'", text)]
    expected = any(start < place < end for start, end in blocks)
    assert in_ignored_block(None, place, blocks) is expected
