"""The decision table, row by row."""

from __future__ import annotations

import itertools

import pytest

from collectfasta.items import Action, Digest, Reason, Record, RemoteObject
from collectfasta.pipeline.compare import Facts, decide, settle

HERE, OTHER = b"a" * 16, b"b" * 16


def facts(
    *,
    record: Record | None = None,
    remote: RemoteObject | None = None,
    digest: Digest | None = None,
    encoded: bool = False,
    check_headers: bool = True,
    fingerprint: str = "f",
) -> Facts:
    return Facts(
        digest or Digest(HERE, None, 5), record, remote, fingerprint, encoded, check_headers
    )


def decision(known: Facts, same: bool | None = None, headers: bool = True) -> tuple[Action, Reason]:
    """What is decided where the storage answers ``same`` and ``headers``."""
    decided = decide(known, lambda: same, lambda: headers)
    return decided.action, decided.reason


REMOTE = RemoteObject("x", 5, "e1")


@pytest.mark.parametrize("record", [None, Record(HERE, "e1", "f"), Record(OTHER, "e0", "g")])
def test_absent_is_new_whatever_the_record_says(record: Record | None) -> None:
    """A record never makes up for an object that is not there."""
    assert decision(facts(record=record)) == (Action.UPLOAD, Reason.NEW)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (Record(HERE, "e1", "f"), (Action.SKIP, Reason.UNCHANGED)),
        (Record(HERE, "e1", "g"), (Action.UPLOAD, Reason.HEADERS)),
        (Record(OTHER, "e1", "f"), (Action.UPLOAD, Reason.CHANGED)),
        (Record(OTHER, "e1", "g"), (Action.UPLOAD, Reason.CHANGED)),
    ],
)
def test_a_record_whose_etag_is_there_settles_it(
    record: Record, expected: tuple[Action, Reason]
) -> None:
    """No checksum is asked for: the etag is compared with itself only."""
    assert settle(facts(record=record, remote=REMOTE)) is not None
    assert decision(facts(record=record, remote=REMOTE)) == expected


@pytest.mark.parametrize("record", [None, Record(HERE, "e0", "f")])
class TestWithoutRecord:
    """No record, or the etag has moved on: the record proves nothing."""

    def test_another_size_is_changed_without_a_look(self, record: Record | None) -> None:
        """Sizes that differ need no hashing."""
        known = facts(record=record, remote=RemoteObject("x", 6, "e1"))
        assert settle(known) is not None
        assert decision(known, same=True) == (Action.UPLOAD, Reason.CHANGED)

    def test_the_size_of_an_encoded_object_says_nothing(self, record: Record | None) -> None:
        """A gzipped object is smaller than its source."""
        known = facts(record=record, remote=RemoteObject("x", 3, "e1"), encoded=True)
        assert decision(known, same=True) == (Action.SKIP, Reason.SAME_ALL)

    def test_a_size_that_is_not_known_says_nothing(self, record: Record | None) -> None:
        """A storage without ``size()`` shows -1."""
        known = facts(record=record, remote=RemoteObject("x", -1, "e1"))
        assert decision(known, same=True) == (Action.SKIP, Reason.SAME_ALL)

    @pytest.mark.parametrize(
        ("same", "headers", "check", "expected"),
        [
            (None, True, True, (Action.UPLOAD, Reason.UNPROVEN)),
            (False, True, True, (Action.UPLOAD, Reason.CHANGED)),
            (True, True, True, (Action.SKIP, Reason.SAME_ALL)),
            (True, False, True, (Action.UPLOAD, Reason.HEADERS)),
            (True, False, False, (Action.SKIP, Reason.SAME_BYTES)),
        ],
    )
    def test_the_checksum_decides(
        self,
        record: Record | None,
        same: bool | None,
        headers: bool,
        check: bool,
        expected: tuple[Action, Reason],
    ) -> None:
        """Equal bytes are left alone if their headers are right, or are not to be checked."""
        known = facts(record=record, remote=REMOTE, check_headers=check)
        assert settle(known) is None
        assert decision(known, same, headers) == expected

    @pytest.mark.parametrize(
        ("same", "expected"),
        [(True, (Action.SKIP, Reason.UNCHANGED)), (False, (Action.UPLOAD, Reason.CHANGED))],
    )
    def test_a_copy_compared_while_hashing_settles_it(
        self, record: Record | None, same: bool, expected: tuple[Action, Reason]
    ) -> None:
        """A disk has no headers, and its copy has been compared byte by byte."""
        digest = Digest(HERE, None, 5, same)
        known = facts(record=record, remote=REMOTE, digest=digest, fingerprint="")
        assert settle(known) is not None
        assert decision(known) == expected

    def test_a_storage_without_headers_has_none_to_check(self, record: Record | None) -> None:
        """Equal bytes are all there is to it."""
        known = facts(record=record, remote=REMOTE, fingerprint="")
        assert decision(known, same=True, headers=False) == (Action.SKIP, Reason.UNCHANGED)


def test_an_empty_etag_vouches_for_nothing() -> None:
    """A storage that shows no etag must not match a record that has none."""
    known = facts(record=Record(HERE, "", "f"), remote=RemoteObject("x", 5, ""))
    assert decision(known, same=False) == (Action.UPLOAD, Reason.CHANGED)


def test_nothing_is_ever_skipped_without_proof() -> None:
    """Over all combinations: a skip has a matching record, or bytes that were found the same."""
    records = [
        None,
        *(Record(*r) for r in itertools.product((HERE, OTHER), ("", "e1"), ("f", "g"))),
    ]
    remotes = [None, *(RemoteObject("x", *r) for r in itertools.product((-1, 5, 6), ("", "e1")))]
    answers = itertools.product((None, False, True), (False, True), (False, True), (False, True))
    for record, remote, (same, headers, encoded, check) in itertools.product(
        records, remotes, list(answers)
    ):
        known = facts(record=record, remote=remote, encoded=encoded, check_headers=check)
        action, _ = decision(known, same, headers)
        vouched = record == Record(HERE, "e1", "f") and remote is not None and remote.etag == "e1"
        if action is Action.SKIP:
            assert vouched or (same and remote is not None)
