"""What every destination is held to, by the command itself. See ``destinations.py``."""

from __future__ import annotations

import gzip
import mimetypes
from typing import TYPE_CHECKING

import pytest

from tests import support
from tests.contract.destinations import HOUR, MINUTE
from tests.contract.files import BIG, BIG_SIZE, FEW, many

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.conftest import Site


def content_type(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def with_headers(site: Site) -> None:
    if not site.destination.cache_control:
        pytest.skip("its files have no headers")


# -- the whole tree ---------------------------------------------------------------------------


def test_every_file_arrives_with_its_bytes_and_headers(site: Site) -> None:
    """Odd names, empty files and one of 5 MiB; only they, each under exactly its name."""
    files = many()
    site.write(files)
    output = site.collect()
    assert f"{len(files)} static files copied" in output
    assert site.place.objects() == site.keyed(files)
    if site.destination.cache_control:
        wanted = {
            key: {"content-type": content_type(key), "cache-control": MINUTE}
            for key in site.keyed(files)
        }
        assert {key: site.place.headers(key) for key in wanted} == wanted


def test_a_second_run_touches_nothing(site: Site) -> None:
    """And says that all is unmodified."""
    files = many()
    site.write(files)
    site.collect()
    assert site.changes() == []
    assert f"0 static files copied, {len(files)} unmodified." in unplaced(site.collect())


def unplaced(output: str) -> str:
    """Django's summary without the folder that it names for a disk."""
    head, quote, tail = output.partition(" to '")
    return head + tail.partition("'")[2] if quote else head


def test_a_run_with_an_empty_cache_touches_nothing(site: Site) -> None:
    """What is there proves itself."""
    site.write(many())
    site.collect()
    site.forget()
    assert site.changes() == []


def test_a_run_without_a_lasting_cache_touches_nothing(site: Site) -> None:
    """Neither the first nor any later one finds a record."""
    site.caches = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    site.write(many())
    site.collect()
    assert site.changes() == []


def test_a_fresh_checkout_touches_nothing(site: Site, tmp_path: Path) -> None:
    """New modification times, another folder, the same bytes."""
    site.write(many())
    site.collect()
    site.source = support.copy_tree(site.source, tmp_path / "checkout")
    assert site.changes() == []


@pytest.mark.parametrize("remembered", [True, False], ids=["warm", "lost"])
def test_an_edit_of_the_same_size_is_the_one_upload(site: Site, remembered: bool) -> None:
    """One byte of 5 MiB, whatever the cache remembers."""
    site.write(many())
    site.collect()
    edited = bytearray(many()[BIG])
    edited[BIG_SIZE // 2] ^= 1
    site.write({BIG: bytes(edited)})
    if not remembered:
        site.forget()
    key = next(iter(site.keyed({BIG: b""})))
    assert site.changes() == [key]
    assert site.place.read(key) == bytes(edited)
    assert site.changes() == []


# -- what others do to the destination ----------------------------------------------------------


def test_an_emptied_destination_is_filled_again(site: Site) -> None:
    """Although the cache remembers every file."""
    site.write(FEW)
    site.collect()
    site.place.delete(*site.place.keys())
    assert site.place.objects() == {}
    site.collect()
    assert site.place.objects() == site.keyed(FEW)


def test_a_deleted_object_is_the_one_upload(site: Site) -> None:
    """The others are left alone."""
    site.write(FEW)
    site.collect()
    key = next(iter(site.keyed({"js/c.js": b""})))
    site.place.delete(key)
    assert site.changes() == [key]
    assert site.place.objects() == site.keyed(FEW)


@pytest.mark.parametrize("body", [b"x" * len(FEW["a.css"]), b"short", b""], ids=len)
def test_an_object_that_somebody_overwrote_is_put_right(site: Site, body: bytes) -> None:
    """Whether or not its size is the same."""
    site.write(FEW)
    site.collect()
    key = next(iter(site.keyed({"a.css": b""})))
    site.place.put(key, body)
    assert site.changes() == [key]
    assert site.place.objects() == site.keyed(FEW)


def test_what_a_foreign_tool_put_there_with_the_same_bytes_is_kept_or_replaced(site: Site) -> None:
    """Never left with other headers than those that are configured."""
    site.write(FEW)
    key = next(iter(site.keyed({"a.css": b""})))
    site.place.put(key, FEW["a.css"])
    site.collect()
    assert site.place.objects() == site.keyed(FEW)
    if site.destination.cache_control:
        assert site.place.headers(key)["cache-control"] == MINUTE
    assert site.changes() == []


def test_a_file_that_is_gone_from_the_sources_stays_published(site: Site) -> None:
    """Pages that are still out name it; only ``--clear`` deletes."""
    site.write(FEW)
    site.collect()
    (site.source / "a.css").unlink()
    assert site.changes() == []


# -- one cache, several places ------------------------------------------------------------------


def test_a_second_place_on_the_same_cache_is_filled(site: Site) -> None:
    """What is remembered of one place says nothing of another."""
    site.write(FEW)
    site.collect()
    first, site.place = site.place, site.place.another()
    site.collect()
    assert site.place.objects() == first.objects() == site.keyed(FEW)
    assert site.changes() == []
    site.place = first
    assert site.changes() == []


def test_two_locations_in_one_place_are_both_filled(site: Site) -> None:
    """And neither disturbs the other."""
    site.write(FEW)
    wanted: dict[str, bytes] = {}
    for site.location in ("one", "two"):
        site.collect()
        wanted |= site.keyed(FEW)
    assert site.place.objects() == wanted
    for site.location in ("one", "two"):
        assert site.changes() == []


def test_a_location_that_begins_like_another_is_another(site: Site) -> None:
    """``static`` is filled and cleared beside ``static-old`` and leaves that alone."""
    site.write(FEW)
    site.location = "static-old"
    site.collect()
    old = site.keyed(FEW)
    site.location = "static"
    site.write({"a.css": b"newer"})
    new = site.keyed({**FEW, "a.css": b"newer"})
    assert site.changes() == sorted(new)
    assert site.place.objects() == {**old, **new}
    assert site.changes("--clear") == []


@pytest.mark.parametrize("location", ["", "nested/static/deep er"])
def test_any_location_is_filled_and_then_left_alone(site: Site, location: str) -> None:
    """None at all, and one of several folders."""
    site.location = location
    site.write(FEW)
    site.collect()
    assert site.place.objects() == site.keyed(FEW)
    assert site.changes() == []
    site.forget()
    assert site.changes() == []


# -- options ------------------------------------------------------------------------------------


def test_clear_deletes_what_is_under_the_location_and_was_not_written(site: Site) -> None:
    """Nothing else, and it leaves alone what is up to date."""
    site.write(FEW)
    site.collect()
    stale = site.keyed({"old.css": b"old", "js/deep/old #1.js": b"old", "other/x": b""})
    outside = {"root.txt": b"r", "static-old/a.css": b"o", "staticfile": b"s", "media/a.css": b"m"}
    for key, body in {**stale, **outside}.items():
        site.place.put(key, body)
    assert site.changes("--clear") == sorted(stale)
    assert site.place.objects() == {**site.keyed(FEW), **outside}


def test_clear_of_an_empty_place_is_no_error(site: Site) -> None:
    """Everything is written, there is nothing to delete."""
    site.write(FEW)
    site.collect("--clear")
    assert site.place.objects() == site.keyed(FEW)


def test_a_dry_run_changes_nothing_and_says_what_a_real_run_does(site: Site) -> None:
    """First everything, then one edit, one stale object and nothing else."""
    site.write(FEW)
    output = site.collect("--dry-run")
    assert site.place.objects() == {}
    assert output.count("Pretending to copy") == len(FEW)
    site.collect()
    site.write({"a.css": b"y" * len(FEW["a.css"])})
    site.place.put(next(iter(site.keyed({"old.css": b""}))), b"old")
    assert site.changes("--dry-run", "--clear") == []
    output = site.collect("--dry-run", "--clear", verbosity=2)
    assert f"Pretending to copy '{site.source / 'a.css'}'" in output
    assert "Pretending to delete 'old.css'" in output
    assert output.count("Pretending") == 2
    assert site.changes("--clear") == sorted(site.keyed({"a.css": b"", "old.css": b""}))


def test_ignored_files_are_not_published(site: Site) -> None:
    """Nor deleted for it, if they were before."""
    site.write(FEW)
    site.collect("--ignore", "*.js")
    wanted = {name: body for name, body in FEW.items() if not name.endswith(".js")}
    assert site.place.objects() == site.keyed(wanted)


@pytest.mark.parametrize("args", [(), ("--clear",), ("--dry-run",)], ids=" ".join)
def test_verbosity_0_is_silent(site: Site, args: tuple[str, ...]) -> None:
    """When all is new, and when nothing has changed."""
    site.write(FEW)
    for _ in range(2):
        assert site.run(*args, verbosity=0) == support.Result(0, "", "")


def test_a_tree_without_files_changes_nothing(site: Site) -> None:
    """Not even what is there."""
    site.write({})
    site.place.put("static/a.css", b"there")
    assert site.changes() == []


def test_a_place_that_does_not_exist_is_one_line(site: Site) -> None:
    """With its name, exit status 1, whether or not anything is to be published."""
    if not site.destination.missing:
        pytest.skip("it makes its place itself")
    site.options |= site.destination.missing
    site.write(FEW)
    for args in ((), ("--dry-run",)):
        result = site.run(*args)
        assert result.status == 1
        assert len(result.stderr.strip().split("\n")) == 1, result.stderr
        assert next(iter(site.destination.missing.values())) in result.stderr


# -- headers and encodings ----------------------------------------------------------------------


@pytest.mark.parametrize("remembered", [True, False], ids=["warm", "lost"])
def test_changed_headers_are_sent(site: Site, remembered: bool) -> None:
    """Although the bytes are the same, and even if the cache has been lost meanwhile."""
    with_headers(site)
    site.write(FEW)
    site.collect()
    site.options |= site.destination.headers(HOUR)
    if not remembered:
        site.forget()
    assert site.changes() == sorted(site.keyed(FEW))
    assert {site.place.headers(key)["cache-control"] for key in site.keyed(FEW)} == {HOUR}
    assert site.place.objects() == site.keyed(FEW)
    assert site.changes() == []


def test_headers_are_checked_without_a_lasting_cache_where_that_is_asked_for(site: Site) -> None:
    """The summary says that they are not; ``--verify-headers`` does."""
    with_headers(site)
    site.caches = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    site.write(FEW)
    site.collect()
    assert site.changes("--verify-headers") == []
    site.options |= site.destination.headers(HOUR)
    assert site.changes("--verify-headers") == sorted(site.keyed(FEW))


def test_gzipped_files_are_proven_too(site: Site) -> None:
    """Stored gzipped where the storage would; an empty cache sends none of them again."""
    if not site.destination.gzip:
        pytest.skip("it keeps no files gzipped")
    site.options["gzip"] = True
    site.write(many())
    site.collect()
    for key, body in site.keyed(many()).items():
        stored, headers = site.place.read(key), site.place.headers(key)
        if content_type(key) in ("text/css", "text/javascript", "image/svg+xml"):
            assert headers["content-encoding"] == "gzip", key
            assert gzip.decompress(stored) == body, key
        else:
            assert "content-encoding" not in headers, key
            assert stored == body, key
        assert headers["content-type"] == content_type(key)
    assert site.changes() == []
    site.forget()
    assert site.changes() == []
    site.write({"with space.css": many()["with space.css"].upper()})
    site.forget()
    assert site.changes() == sorted(site.keyed({"with space.css": b""}))
