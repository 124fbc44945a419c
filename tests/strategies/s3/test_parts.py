"""Large files: parts side by side, in bounded memory, and no half upload left behind."""

from __future__ import annotations

import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from boto3.s3.transfer import TransferConfig

from collectfasta.exceptions import DestinationError, UploadError
from collectfasta.items import SourceFile
from collectfasta.strategies import bodies
from scripts.benchmarks.faults import Fault, Kind
from tests.strategies.s3.kit import MIB, opened, source

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.benchmarks.store import Store

SMALL_PARTS = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)


def free(strategy: Any) -> bool:
    """Whether nothing is in flight any more."""
    found: bool = strategy.flight._free == strategy.flight.bound
    return found


def test_threshold_and_part_size_are_the_storages(store: Store) -> None:
    """As its own uploader would split the file."""
    strategy = opened(store, transfer_config=SMALL_PARTS)
    sent = strategy.upload(source("a.bin", bytes(11 * MIB)))
    assert sent.etag.endswith("-3")
    strategy.upload(source("b.bin", bytes(5 * MIB - 1)))
    assert store.counts["UploadPart"] == 3
    assert store.counts["PutObject"] == 1
    assert free(strategy)


def test_a_threshold_beyond_the_bound_is_capped(store: Store) -> None:
    """Memory is bounded whatever the transfer's settings say."""
    strategy = opened(store, transfer_config=TransferConfig(multipart_threshold=1 << 40))
    assert strategy.large == strategy.flight.bound
    strategy = opened(store, transfer_config=TransferConfig(multipart_threshold=1))
    assert strategy.large == 5 * MIB


@pytest.mark.parametrize(
    ("operation", "status", "code", "kind"),
    [
        ("CreateMultipartUpload", 403, "AccessDenied", UploadError),
        ("CreateMultipartUpload", 404, "NoSuchBucket", DestinationError),
        ("UploadPart", 403, "AccessDenied", UploadError),
        ("UploadPart", 400, "ExpiredToken", DestinationError),
        ("CompleteMultipartUpload", 400, "InvalidPart", UploadError),
    ],
)
def test_a_failed_upload_is_aborted(
    store: Store, operation: str, status: int, code: str, kind: type[Exception]
) -> None:
    """Nothing is left that would be paid for, and nothing stays in flight."""
    store.fail(operation, status=status, code=code)
    strategy = opened(store, transfer_config=SMALL_PARTS)
    with pytest.raises(kind, match=code):
        strategy.upload(source("a.bin", bytes(26 * MIB)))
    assert store.buckets["static"].uploads == {}
    assert len(store.objects) == 0
    assert free(strategy)
    assert not strategy._multipart._open
    assert store.counts["UploadPart"] <= 6


def test_what_aborting_is_answered_does_not_hide_the_failure(store: Store) -> None:
    """The user must hear of the first error."""
    store.fail("UploadPart", status=403)
    store.fail("AbortMultipartUpload", status=403, code="InvalidRequest")
    strategy = opened(store, transfer_config=SMALL_PARTS)
    with pytest.raises(UploadError, match=r"^a\.bin: access denied \(AccessDenied\)\.$"):
        strategy.upload(source("a.bin", bytes(6 * MIB)))


def test_a_file_that_changes_meanwhile_is_not_published(store: Store, tmp_path: Path) -> None:
    """The old object stays."""
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(16 * MIB))
    strategy = opened(store, transfer_config=SMALL_PARTS)
    strategy._sdk.put("a.bin", "a.bin", b"old", {})
    following = strategy._multipart.next_part

    def racing(parts: Any, size: int) -> bytes:
        part = following(parts, size)
        path.write_bytes(bytes(9 * MIB))
        return part

    strategy._multipart.next_part = racing  # type: ignore[method-assign]
    with pytest.raises(UploadError, match="changed while it was read"):
        strategy.upload(SourceFile(str(path), "a.bin", 16 * MIB))
    assert store.objects["a.bin"].body == b"old"
    assert store.buckets["static"].uploads == {}
    assert free(strategy)


def test_whole_objects_in_flight_are_bounded_too(store: Store) -> None:
    """Files that are too small for parts: as many at once as fit, whatever the threads."""
    strategy = opened(store)
    store.latency = 0.2
    size = strategy.flight.bound // 4
    files = [source(f"{number}.bin", bytes(size)) for number in range(12)]
    with ThreadPoolExecutor(len(files)) as pool:
        assert len(list(pool.map(strategy.upload, files))) == store.counts["PutObject"] == 12
    assert 1 < store.most_in_flight <= 4
    assert free(strategy)


def test_no_part_is_held_that_is_not_in_flight(store: Store, tmp_path: Path) -> None:
    """Four files at once: what is in memory of them stays within the bound."""
    strategy = opened(store, transfer_config=SMALL_PARTS)
    send = strategy._multipart._send_part
    held: list[int] = []
    reads = tracemalloc.Filter(True, bodies.__file__)

    def seen(*args: Any) -> Any:
        found = tracemalloc.take_snapshot().filter_traces([reads]).statistics("filename")
        held.append(sum(entry.size for entry in found))
        return send(*args)

    strategy._multipart._send_part = seen  # type: ignore[method-assign,assignment]
    files = [SourceFile(str(tmp_path / f"{n}.bin"), f"{n}.bin", 21 * MIB) for n in range(4)]
    for file in files:
        with open(file.path, "wb") as sparse:
            sparse.truncate(file.size)
    tracemalloc.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            assert len({sent.etag for sent in pool.map(strategy.upload, files)}) == 1
    finally:
        tracemalloc.stop()
    assert len(held) == 20
    assert 5 * MIB < max(held) < strategy.flight.bound + MIB


def test_an_interrupt_aborts_what_is_under_way(store: Store) -> None:
    """At once, although a part hangs; the main thread does not wait."""
    hang = store.strike(Fault(Kind.HANG), "UploadPart")
    strategy = opened(store, transfer_config=SMALL_PARTS)
    file = source("a.bin", bytes(6 * MIB))
    thread = threading.Thread(target=lambda: _swallow(strategy, file), daemon=True)
    thread.start()
    store.wait_for(lambda store: hang.struck >= 1)
    strategy.interrupt()
    store.wait_for(lambda store: not store.buckets["static"].uploads)
    assert store.counts["AbortMultipartUpload"] == 1


def test_after_an_interrupt_no_upload_goes_on(store: Store) -> None:
    """It stops at its next part, and cleans up behind itself."""
    strategy = opened(store, transfer_config=SMALL_PARTS)
    strategy._multipart._stopped = True
    with pytest.raises(UploadError, match=r"^a\.bin: interrupted\.$"):
        strategy.upload(source("a.bin", bytes(16 * MIB)))
    assert store.buckets["static"].uploads == {}
    assert store.counts["UploadPart"] == 1
    assert free(strategy)


def _swallow(strategy: Any, file: SourceFile) -> None:
    try:
        strategy.upload(file)
    except (UploadError, DestinationError):
        return


def test_checksums_of_parts_are_handed_back_where_the_sdk_sends_them(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Amazon wants them when the upload is completed."""
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_supported")
    strategy = opened(store, transfer_config=SMALL_PARTS)
    client = strategy._sdk.connection.client
    seen: list[Any] = []

    def answer(parsed: dict[str, Any], **_: Any) -> None:
        parsed["ChecksumCRC32"], parsed["ChecksumType"] = "c", "COMPOSITE"

    client.meta.events.register("after-call.s3.UploadPart", answer)
    client.meta.events.register(
        "provide-client-params.s3.CompleteMultipartUpload", lambda params, **_: seen.append(params)
    )
    strategy.upload(source("a.bin", bytes(6 * MIB)))
    (part, last) = seen[0]["MultipartUpload"]["Parts"]
    assert part.keys() == {"PartNumber", "ETag", "ChecksumCRC32"}
    assert (part["PartNumber"], last["PartNumber"]) == (1, 2)


def test_memory_and_requests_in_flight_are_bounded(store: Store) -> None:
    """Four large files at once, parts of all of them on their way together."""
    store.latency = 0.01
    strategy = opened(store, transfer_config=SMALL_PARTS)
    files = [source(f"{number}.bin", bytes(21 * MIB)) for number in range(4)]
    threads = [threading.Thread(target=strategy.upload, args=(file,)) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(store.objects) == 4
    assert store.most_in_flight <= 8 + 4
    assert free(strategy)
