"""The model: a source tree, a destination, a cache, and everything that may happen to them.

After each run the destination is compared with what Django's own code says it must hold.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from django.test.utils import override_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.model import cache, oracle, runs
from tests.model.worlds import LOCATION, Disk, Object, Setup, World
from tests.support import write_tree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support import Result

NAMES = ("a.css", "d/a.css", "d/c.txt", "b #%é.js", "d/deep/x.svg", "e.bin")
names = st.sampled_from(NAMES)
digits = st.integers(0, 9)
kinds = st.sampled_from(("short", "short", "refers", "large", "empty"))
setups = st.builds(
    Setup, st.sampled_from(("", "max-age=60", "no-cache")), st.booleans(), st.booleans()
)
LARGE = 6000
"""Bytes; worlds are told to send such files in another way than small ones."""
HASHED = re.compile(r"\.([0-9a-f]{12})(?=[.#]|$)")


picks = st.integers(0, 99)
"""For what cannot be drawn from, because it depends on how fast something was."""


def _picked(choices: Iterable[str], pick: int) -> str:
    ordered = sorted(choices)
    return ordered[pick % len(ordered)]


def content(name: str, kind: str, digit: int) -> bytes:
    """Contents of one kind and name have the same size, whatever the digit."""
    if kind == "empty":
        return b""
    if kind == "large":
        return b"/*%d" % digit * (LARGE // 3) + b"*/"
    if kind == "refers" and name.endswith(".css"):
        return b'p{b:url("%s")}/*%d*/' % (b"c.txt" if name.startswith("d/") else b"d/c.txt", digit)
    return b"/*%d*/" % digit


class Machine(RuleBasedStateMachine):
    """Subclasses say in which world."""

    world_class: ClassVar[type[World]] = Disk

    def __init__(self) -> None:
        super().__init__()
        self._temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self._temporary.name)
        self.world = self.world_class(self.folder)
        self.sources = 0
        self.tree: oracle.Tree = {}
        self.setup = Setup()
        self.foreign = 0
        self.changed = False
        self.lazy = True
        self.past: dict[str, Any] | None = None
        self.sent_as = {self.setup}
        """The set-ups that records in the cache may be of."""
        cache.restore({})

    def teardown(self) -> None:
        cache.KeptCache.down = False
        self.world.close()
        self._temporary.cleanup()

    @invariant()
    def run_after_each_change(self) -> None:
        if self.changed and not self.lazy:
            self._checked([])

    # -- what happens to the source ---------------------------------------------------------------

    @initialize(
        chosen=st.dictionaries(names, st.tuples(kinds, digits), min_size=2),
        setup=setups,
        lazy=st.booleans(),
    )
    def begin(self, chosen: dict[str, tuple[str, int]], setup: Setup, lazy: bool) -> None:
        """``lazy``: several things may happen between two runs."""
        self.lazy = lazy
        self.tree = {name: content(name, *how) for name, how in chosen.items()}
        self.world.put("other/foreign.txt", b"not ours", {"content-type": "text/plain"})
        self.configure(setup)

    @rule(name=names, kind=kinds, digit=digits)
    def edit(self, name: str, kind: str, digit: int) -> None:
        self.changed = True
        self.tree[name] = content(name, kind, digit)

    @rule(name=names)
    def edit_keeping_the_size(self, name: str) -> None:
        self.changed = True
        self._rotate(name)

    def _rotate(self, name: str) -> None:
        self.tree[name] = self.tree.get(name, b"/*9*/").translate(
            bytes.maketrans(b"0123456789", b"1234567890")
        )

    @rule(pick=picks)
    def remove(self, pick: int) -> None:
        self.changed = True
        if len(self.tree) > 1:
            del self.tree[_picked(self.tree, pick)]

    @rule(pick=picks, to=names)
    def rename(self, pick: int, to: str) -> None:
        self.changed = True
        self.tree[to] = self.tree.pop(_picked(self.tree, pick))

    @rule(setup=setups)
    def configure(self, setup: Setup) -> None:
        self.changed = True
        world = self.world
        self.setup = Setup(
            setup.cache_control if world.has_headers else "",
            setup.gzip and world.has_gzip,
            setup.manifest,
        )
        self.sent_as = {*self.sent_as, self.setup}

    # -- what happens to the cache ----------------------------------------------------------------

    @rule()
    def lose_the_cache(self) -> None:
        self.changed = True
        cache.restore({})
        self.sent_as = {self.setup}

    @rule(setup=setups)
    def configure_on_a_machine_that_remembers_nothing(self, setup: Setup) -> None:
        """Bytes can be proven by the storage's checksums; headers must be looked at."""
        cache.restore({})
        self.sent_as = set()
        self.configure(setup)

    @rule(damage=st.sampled_from(("drop", "cut", "flip", "type", "swap")), every=st.integers(1, 3))
    def damage_the_cache(self, damage: str, every: int) -> None:
        self.changed = True
        found = list(cache.entries().values())

        def damaged(key: str, value: Any) -> Any:
            if int(hashlib.md5(key.encode()).hexdigest(), 16) % every or not isinstance(value, str):
                return value
            changes = {
                "drop": lambda: None,
                "cut": lambda: value[: len(value) // 2],
                "flip": lambda: value.replace("a", "b").replace("0", "1"),
                "type": lambda: [value],
                "swap": lambda: found[0],
            }
            return changes[damage]()  # type: ignore[no-untyped-call]  # a lambda

        cache.change(damaged)

    @rule()
    def keep_a_copy_of_the_cache(self) -> None:
        self.past = cache.entries()
        self.sent_as = {self.setup} if not self.past else self.sent_as

    @rule()
    def set_the_cache_back(self) -> None:
        """A record may vouch for headers that were replaced since, where no ETag tells: the one
        thing that is documented not to be seen."""
        self.changed = True
        if self.past is None:
            return
        if self.world.etag_shows_headers or self.sent_as == {self.setup}:
            cache.restore(self.past)

    @rule(same_source=st.booleans())
    def another_bucket_with_the_same_cache_and_their_values_swapped(
        self, same_source: bool
    ) -> None:
        self.changed = True
        other = self.world_class(self.folder / "other") if self._make("other") else self.world
        before = set(cache.entries())
        try:
            tree = self.tree if same_source else {"a.css": b"/*other*/"}
            self._run_in(other, tree, [])
        finally:
            other.close()
        theirs = {k: v for k, v in cache.entries().items() if k not in before}
        values = list(theirs.values())
        if values:
            cache.change(lambda key, value: value if key in theirs else values[0])

    def _make(self, name: str) -> bool:
        (self.folder / name).mkdir(exist_ok=True)
        return True

    # -- what happens to the destination ----------------------------------------------------------

    def _ours(self) -> list[str]:
        return sorted(key for key in self.world.objects() if key.startswith(f"{LOCATION}/"))

    @rule(pick=picks, same_size=st.booleans())
    def somebody_overwrites(self, pick: int, same_size: bool) -> None:
        self.changed = True
        if not (ours := self._ours()):
            return
        key = _picked(ours, pick)
        size = len(self.world.objects()[key][0]) if same_size else 9
        self.foreign += 1
        body = (b"%d foreign" % self.foreign).ljust(size, b".")[: max(size, 4)]
        if key.endswith(oracle.MANIFEST):  # one that Django could not even read stops every project
            body = b'{"paths": {}, "version": "1.1", "hash": "%d"}' % self.foreign
        self.world.put(key, body, {"content-type": "text/foreign"})

    @rule(pick=picks)
    def somebody_deletes(self, pick: int) -> None:
        self.changed = True
        if ours := self._ours():
            self.world.delete(_picked(ours, pick))

    @rule(pick=picks)
    def the_source_takes_what_somebody_wrote(self, pick: int) -> None:
        self.changed = True
        objects = self.world.objects()
        theirs = [key for key in self._ours() if b"foreign" in objects[key][0]]
        names_of = [key.removeprefix(f"{LOCATION}/") for key in theirs]
        chosen = [name for name in names_of if name in NAMES]
        if chosen:
            name = _picked(chosen, pick)
            self.tree[name] = objects[f"{LOCATION}/{name}"][0]

    # -- runs -------------------------------------------------------------------------------------

    @rule()
    def run(self) -> None:
        self._checked([])

    @rule()
    def run_with_clear(self) -> None:
        self._checked(["--clear"])

    @rule()
    def run_again_at_once(self) -> None:
        """Nothing has happened since, so nothing is sent."""
        if self._checked([]).status == 0:
            again = self._run_in(self.world, self.tree, [])
            assert "\n0 static files copied" in f"\n{again.stdout}", again.output

    def _edit_all(self) -> None:
        """Every file, keeping its size: a run then has something to send."""
        for name in list(self.tree):
            self._rotate(name)

    @rule(clear=st.booleans(), edited=st.booleans())
    def dry_run(self, clear: bool, edited: bool) -> None:
        if edited:
            self._edit_all()
        before, records = self.world.objects(), cache.entries()
        self._run_in(self.world, self.tree, ["--dry-run", *(["--clear"] if clear else [])])
        assert self.world.objects() == before
        assert cache.entries() == records

    @rule()
    def run_while_the_cache_is_down(self) -> None:
        if not self.world.etag_shows_headers and self.sent_as != {self.setup}:
            return
        cache.KeptCache.down = True
        try:
            result = self._checked([])
        finally:
            cache.KeptCache.down = False
        if result.status == 0:
            assert result.stderr.count("Warning: The cache ") <= 1, result.stderr

    @rule(name=names, kind=st.sampled_from(("throttle", "cut")))
    def run_with_uploads_that_succeed_the_second_time(self, name: str, kind: str) -> None:
        if not self.world.stumbles:
            return
        self._rotate(name)
        self.world.fault(f"*{name}", kind)
        self._checked([])
        self.world.calm()

    @rule(which=st.sampled_from(("a file", "hashed", "manifest")), pick=picks, clear=st.booleans())
    def run_with_uploads_refused(self, which: str, pick: int, clear: bool) -> None:
        """One file, or all hashed ones, or the manifest; with something there to be cleared."""
        self._edit_all()
        self.world.calm()
        keys = {"hashed": f"*.{'[0-9a-f]' * 12}*", "manifest": oracle.MANIFEST}
        if which not in keys or not self.setup.manifest:
            keys[which] = _picked(self.tree, pick)
        self.world.put(f"{LOCATION}/leftover.txt", b"left", {"content-type": "text/plain"})
        self.world.fault(f"{LOCATION}/{keys[which]}", "refuse")
        self._checked(["--clear"] if clear else [])
        self.world.calm()
        self.changed = True

    @rule(
        uploads=st.integers(0, 6), killed=st.booleans(), clear=st.booleans(), edited=st.booleans()
    )
    def run_and_stop(self, uploads: int, killed: bool, clear: bool, edited: bool) -> None:
        if edited:
            self._edit_all()
        self._stopped(uploads, killed=killed, clear=clear)
        self.changed = True

    @rule(setup=setups, uploads=st.integers(1, 9))
    def a_new_setup_is_killed_in_mid_run_and_taken_back(self, setup: Setup, uploads: int) -> None:
        """The objects that it has sent carry headers that nobody wants any more."""
        back = self.setup
        self.configure(setup)
        self._stopped(uploads, killed=True, clear=False)
        self.configure(back)

    def _stopped(self, uploads: int, *, killed: bool, clear: bool) -> None:
        before = self.world.objects()
        source = self._written(self.tree)
        settings = self.world.settings(self.setup)
        args = ["--clear"] if clear else []
        stopped = runs.run_stopped(source, settings, runs.Stop(uploads, killed), *args)
        self.world.settle()
        if not stopped:
            return
        clearing = clear and bool(set(before) - set(self.world.objects()))  # its last act
        if oracle.published(self.tree, manifest=self.setup.manifest) is None:
            self._check_found_there_in_part(before, clearing=clearing)
        elif clearing:
            self._check_published(self.tree)
            self._check_others(before, cleared=None)
        else:
            self._check_nothing_torn(before, [self.tree])

    @rule(same=st.booleans(), digit=digits)
    def two_runs_at_once(self, same: bool, digit: int) -> None:
        other = dict(self.tree)
        if not same:
            other[NAMES[digit % len(NAMES)]] = b"/*%d*/" % digit
        trees = [self.tree, other]
        if any(oracle.published(tree, manifest=self.setup.manifest) is None for tree in trees):
            return
        before = self.world.objects()
        with override_settings(**self.world.settings(self.setup)):
            results = runs.run_both([self._written(tree) for tree in trees])
        self.world.settle()
        assert [result.status for result in results] == [0, 0], [r.output for r in results]
        if same:
            self._check_published(self.tree)
        self._check_nothing_torn(before, trees)
        self._checked([])

    # -- what must hold ---------------------------------------------------------------------------

    def _written(self, tree: oracle.Tree) -> Path:
        self.sources += 1
        return write_tree(self.folder / f"source{self.sources}", tree)

    def _run_in(self, world: World, tree: oracle.Tree, args: list[str]) -> Result:
        result = runs.run(self._written(tree), world.settings(self.setup), *args)
        world.settle()
        return result

    def _checked(self, args: list[str]) -> Result:
        self.changed = False
        before = self.world.objects()
        result = self._run_in(self.world, self.tree, args)
        expected = oracle.published(self.tree, manifest=self.setup.manifest)
        if expected is None and result.status == 0:
            self._check_found_there(before)
        elif expected is None and not self.world.struck:
            assert self.world.objects() == before
        elif self.world.struck:
            assert result.status != 0, result.output
            for key in self.world.struck:
                assert key.removeprefix(f"{LOCATION}/") in result.stderr, result.output
            if expected is None:
                self._check_found_there_in_part(before, clearing=False)
            else:
                self._check_nothing_torn(before, [self.tree])
        else:
            assert result.status == 0, result.output
            self._check_published(self.tree)
            self._check_others(before, cleared="--clear" in args)
        return result

    def _check_found_there(self, before: dict[str, Object]) -> None:
        """A reference may lead to what was not collected but is there already: as in Django."""
        assert f"{LOCATION}/d/c.txt" in before
        assert "d/c.txt" not in self.tree
        after = self.world.objects()
        for name, body in self.tree.items():
            stored, headers = after[f"{LOCATION}/{name}"]
            assert _plain(stored, headers) == body, name
        assert _targets(after) == _whole_targets(after, after)

    def _check_found_there_in_part(self, before: dict[str, Object], *, clearing: bool) -> None:
        """The same for a run that did not come to its end: what is new is as the source or its own
        name has it, and nothing that was there is gone, unless it was ``clearing`` already."""
        after = self.world.objects()
        for key, new in after.items():
            source = self.tree.get(key.removeprefix(f"{LOCATION}/"))
            known = new == before.get(key) or _plain(*new) == source or _is_whole(key, new)
            assert known or key == f"{LOCATION}/{oracle.MANIFEST}", key
        if not clearing:
            assert not set(before) - set(after)
            assert _whole_targets(before, before) <= _whole_targets(before, after)
        manifest = f"{LOCATION}/{oracle.MANIFEST}"
        if before.get(manifest) != after.get(manifest):
            assert _targets(after) == _whole_targets(after, after)

    def _expected(self, tree: oracle.Tree) -> dict[str, Object]:
        """By key, with headers; bytes as they were before gzip."""
        files = oracle.published(tree, manifest=self.setup.manifest) or {}
        return {
            f"{LOCATION}/{name}": (
                body,
                tuple(sorted(self.world.headers(name, self.setup).items())),
            )
            for name, body in files.items()
        }

    def _check_published(self, tree: oracle.Tree) -> None:
        objects = self.world.objects()
        for key, (body, headers) in self._expected(tree).items():
            stored, shown = objects[key]
            assert _comparable(key, _plain(stored, shown)) == _comparable(key, body), key
            assert shown == headers, key

    def _check_others(self, before: dict[str, Object], *, cleared: bool | None) -> None:
        """``cleared`` is ``None`` where clearing has begun, and may not have ended."""
        expected, after = self._expected(self.tree), self.world.objects()
        for key, was in before.items():
            if key in expected:
                continue
            if cleared is not False and key.startswith(f"{LOCATION}/"):
                assert cleared is None or key not in after, key
            else:
                assert after.get(key) == was, key
        assert not set(after) - set(before) - set(expected)

    def _check_nothing_torn(self, before: dict[str, Object], trees: list[oracle.Tree]) -> None:
        """Each object is wholly what it was, or wholly what it is to be; what was there is there;
        whatever is named by the manifest that was there, or by the one that is, is whole."""
        after = self.world.objects()
        allowed: dict[str, list[Object]] = {}
        for tree in trees:
            for key, (body, headers) in self._expected(tree).items():
                allowed.setdefault(key, []).append((_comparable(key, body), headers))
        for key, (stored, headers) in after.items():
            new = (_comparable(key, _plain(stored, headers)), headers)
            assert before.get(key) == (stored, headers) or new in allowed.get(key, []), key
        assert not set(before) - set(after)
        whole = _whole_targets(before, before)
        assert whole <= _whole_targets(before, after)
        manifest = f"{LOCATION}/{oracle.MANIFEST}"
        if before.get(manifest) != after.get(manifest):
            assert _targets(after) == _whole_targets(after, after)


def _plain(stored: bytes, headers: tuple[tuple[str, str], ...]) -> bytes:
    return gzip.decompress(stored) if ("content-encoding", "gzip") in headers else stored


def _comparable(key: str, body: bytes) -> Any:
    """Manifests as JSON: older Djangos write them in any order."""
    if not key.endswith(oracle.MANIFEST):
        return body
    try:
        return json.loads(body)
    except ValueError:
        return body


def _targets(objects: dict[str, Object]) -> set[str]:
    """The keys that the manifest in ``objects`` names."""
    stored = objects.get(f"{LOCATION}/{oracle.MANIFEST}")
    try:
        paths = json.loads(_plain(*stored))["paths"] if stored else {}
    except (ValueError, KeyError, TypeError):
        return set()
    return {f"{LOCATION}/{name}" for name in paths.values()}


def _whole_targets(manifest_in: dict[str, Object], objects: dict[str, Object]) -> set[str]:
    """Those that are there with the bytes that their names promise."""
    return {key for key in _targets(manifest_in) if key in objects and _is_whole(key, objects[key])}


def _is_whole(key: str, stored: Object) -> bool:
    return hashlib.md5(_plain(*stored)).hexdigest()[:12] in HASHED.findall(key)
