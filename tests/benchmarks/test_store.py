"""The bench's store, asked by the real clients."""

from __future__ import annotations

import gzip
import hashlib
import io
import threading
import time
from typing import TYPE_CHECKING, Any

import boto3
import botocore.config
import botocore.exceptions
import obstore
import obstore.exceptions
import obstore.store
import pytest
from boto3.s3.transfer import TransferConfig

from scripts.benchmarks import control
from scripts.benchmarks.faults import Kind
from scripts.benchmarks.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ["a b.css", "plus+and%41.js", "ünïcode/ключ.svg", "deep/er/x&y<z>.txt", "quo\"te's.txt"]


def md5(data: bytes) -> str:
    """The hex MD5, as an ETag has it."""
    return hashlib.md5(data).hexdigest()


@pytest.fixture
def store() -> Iterator[Store]:
    """A store on a thread of this process."""
    with Store() as running:
        yield running


def boto(store: Store, **config: Any) -> Any:
    """A client of the SDK that tries once."""
    return boto3.client(
        "s3",
        endpoint_url=store.url,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=botocore.config.Config(
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path"},
            **({"read_timeout": 10} | config),
        ),
    )


def rust(store: Store) -> Any:
    """A client of obstore that tries once."""
    return obstore.store.S3Store(
        "static",
        endpoint=store.url,
        region="us-east-1",
        access_key_id="testing",
        secret_access_key="testing",
        virtual_hosted_style_request=False,
        client_options={"allow_http": True, "timeout": "10s"},
        retry_config={"max_retries": 0},
    )


def put(client: Any, key: str, body: bytes = b"x", **more: Any) -> Any:
    """Put an object with the SDK."""
    return client.put_object(Bucket="static", Key=key, Body=body, **more)


@pytest.mark.parametrize("key", NAMES)
def test_an_object_put_by_the_sdk_comes_back_with_its_headers(store: Store, key: str) -> None:
    """Bytes, ETag, content headers and metadata."""
    client = boto(store)
    body = f"of {key}".encode() * 100
    answer = put(
        client, key, body,
        ContentType="text/css", CacheControl="max-age=5", ContentEncoding="gzip",
        Metadata={"colour": "red"}, ACL="public-read", StorageClass="STANDARD_IA",
    )  # fmt: skip
    got = client.get_object(Bucket="static", Key=key)
    assert got["Body"].read() == body
    assert answer["ETag"] == got["ETag"] == f'"{md5(body)}"'
    assert (got["ContentType"], got["CacheControl"]) == ("text/css", "max-age=5")
    assert (got["ContentEncoding"], got["Metadata"]) == ("gzip", {"colour": "red"})
    assert store.objects[key].headers["x-amz-acl"] == "public-read"
    assert store.objects[key].headers["x-amz-storage-class"] == "STANDARD_IA"
    head = client.head_object(Bucket="static", Key=key)
    assert (head["ContentLength"], head["ETag"]) == (len(body), answer["ETag"])


@pytest.mark.parametrize("key", NAMES)
def test_an_object_put_by_obstore_comes_back(store: Store, key: str) -> None:
    """Bytes, ETag and attributes, and the key unchanged."""
    client = rust(store)
    answer = obstore.put(
        client, key, b"of obstore", attributes={"Content-Type": "text/css", "colour": "red"}
    )
    assert answer["e_tag"] == f'"{md5(b"of obstore")}"'
    assert store.objects[key].headers["x-amz-meta-colour"] == "red"
    assert bytes(obstore.get(client, key).bytes()) == b"of obstore"
    assert [entry["path"] for page in obstore.list(client) for entry in page] == [key]
    obstore.delete(client, key)
    assert key not in store.objects


@pytest.mark.parametrize("chunk", [5, 8])
def test_an_upload_in_parts_has_the_etag_of_its_parts(store: Store, chunk: int) -> None:
    """As S3 makes it: MD5 of the parts' MD5s, and their number."""
    body = bytes(range(256)) * 4096 * 12
    size = chunk * 1024 * 1024
    boto(store).upload_fileobj(
        io.BytesIO(body), "static", "big.bin",
        ExtraArgs={"CacheControl": "no-store"},
        Config=TransferConfig(multipart_chunksize=size),
    )  # fmt: skip
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    joined = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts))
    assert store.objects["big.bin"].body == body
    assert store.objects["big.bin"].etag == f"{joined.hexdigest()}-{len(parts)}"
    assert store.objects["big.bin"].headers["cache-control"] == "no-store"
    assert not store.buckets["static"].uploads


def test_obstore_uploads_in_parts(store: Store) -> None:
    """Parts in any order are joined in theirs."""
    body = bytes(range(251)) * 50_000
    obstore.put(rust(store), "big", body, use_multipart=True, chunk_size=5 * 1024 * 1024)
    assert store.objects["big"].body == body
    assert store.objects["big"].etag.endswith("-3")


def test_an_aborted_upload_leaves_nothing(store: Store) -> None:
    """Neither an object nor parts."""
    client = boto(store)
    begun = client.create_multipart_upload(Bucket="static", Key="a")
    assert len(client.list_multipart_uploads(Bucket="static")["Uploads"]) == 1
    client.abort_multipart_upload(Bucket="static", Key="a", UploadId=begun["UploadId"])
    assert not store.buckets["static"].uploads
    assert not store.objects


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
def test_a_listing_has_every_key_once_and_in_order(store: Store, operation: str) -> None:
    """Over several pages, in both versions, odd names included."""
    client = boto(store)
    keys = [f"dir{n % 7}/file{n:04d}" for n in range(2300)] + NAMES
    for key in keys:
        put_directly(store, key)
    found = []
    for page in client.get_paginator(operation).paginate(Bucket="static"):
        assert len(page["Contents"]) <= 1000
        found += [(entry["Key"], entry["ETag"], entry["Size"]) for entry in page["Contents"]]
    assert found == [(key, f'"{md5(key.encode())}"', len(key.encode())) for key in sorted(keys)]


def put_directly(store: Store, key: str) -> None:
    """Store an object without any client; its bytes are its key."""
    from scripts.benchmarks.bucket import StoredObject

    data = key.encode()
    store.objects[key] = StoredObject(data, md5(data), {"content-type": "text/css"}, 1e9)


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_a_delimiter_gives_folders_and_skips_what_is_in_them(store: Store, size: int) -> None:
    """Each folder once, at any page size."""
    for key in ["a/1", "a/2", "a.css", "b/c/1", "b/d/1", "z"]:
        put_directly(store, key)
    pages = (
        boto(store)
        .get_paginator("list_objects_v2")
        .paginate(Bucket="static", Delimiter="/", PaginationConfig={"PageSize": size})
    )
    folders, files = [], []
    for page in pages:
        folders += [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]
        files += [entry["Key"] for entry in page.get("Contents", [])]
    assert (folders, files) == (["a/", "b/"], ["a.css", "z"])


def test_a_listing_keeps_to_prefix_and_start(store: Store) -> None:
    """Obstore's ``offset`` is S3's ``start-after``."""
    for key in ["a/1", "a/2", "a/3", "ab/1", "b"]:
        put_directly(store, key)
    pages = obstore.list(rust(store), prefix="a", offset="a/1")
    assert [entry["path"] for page in pages for entry in page] == ["a/2", "a/3"]
    listed = boto(store).list_objects_v2(Bucket="static", Prefix="a", StartAfter="a/2")
    assert [entry["Key"] for entry in listed["Contents"]] == ["a/3", "ab/1"]


def test_objects_are_deleted_one_by_one_and_in_bulk(store: Store) -> None:
    """A missing one is no error, more than 1000 at once are."""
    client = boto(store)
    for key in [*NAMES, "kept", "single"]:
        put_directly(store, key)
    client.delete_object(Bucket="static", Key="single")
    client.delete_object(Bucket="static", Key="never there")
    client.delete_objects(Bucket="static", Delete={"Objects": [{"Key": key} for key in NAMES]})
    assert list(store.objects) == ["kept"]
    with pytest.raises(botocore.exceptions.ClientError, match="MalformedXML"):
        client.delete_objects(
            Bucket="static", Delete={"Objects": [{"Key": str(n)} for n in range(1001)]}
        )


def test_buckets_are_found_missed_and_made(store: Store) -> None:
    """HEAD, NoSuchBucket, and PUT."""
    client = boto(store)
    client.head_bucket(Bucket="static")
    with pytest.raises(client.exceptions.NoSuchBucket):
        client.list_objects_v2(Bucket="other")
    client.create_bucket(Bucket="other")
    client.put_object(Bucket="other", Key="a", Body=b"x")
    assert not store.objects
    assert list(store.buckets["other"].objects) == ["a"]


def test_ranges_conditions_and_digests_are_kept(store: Store) -> None:
    """206, 412 and BadDigest."""
    client = boto(store)
    put(client, "a", b"0123456789")
    assert client.get_object(Bucket="static", Key="a", Range="bytes=2-4")["Body"].read() == b"234"
    with pytest.raises(botocore.exceptions.ClientError, match="PreconditionFailed"):
        put(client, "a", b"new", IfNoneMatch="*")
    with pytest.raises(botocore.exceptions.ClientError, match="BadDigest"):
        put(client, "a", b"new", ContentMD5="rL0Y20zC+Fzt72VPzMSk2A==")
    with pytest.raises(botocore.exceptions.ClientError, match="InvalidRange"):
        client.get_object(Bucket="static", Key="a", Range="bytes=20-")
    assert store.objects["a"].body == b"0123456789"


def test_chunked_bodies_are_unwrapped(store: Store) -> None:
    """``aws-chunked``, as the SDK sends an unseekable stream, and HTTP's own chunks."""
    import http.client

    body = b"5;chunk-signature=f\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:AA==\r\n\r\n"
    connection = http.client.HTTPConnection("127.0.0.1", store.port, timeout=10)
    headers = {"Content-Encoding": "gzip,aws-chunked", "Content-Type": "text/plain"}
    connection.request("PUT", "/static/a", body, headers)
    assert connection.getresponse().read() == b""
    assert store.objects["a"].body == b"hello world"
    assert store.objects["a"].headers["content-encoding"] == "gzip"
    connection.request("PUT", "/static/b", iter([b"one ", b"two"]), encode_chunked=True)
    assert connection.getresponse().status == 200
    assert store.objects["b"].body == b"one two"
    connection.close()


def test_a_garbled_request_gets_a_400(store: Store) -> None:
    """And the store lives on."""
    import socket

    with socket.create_connection(("127.0.0.1", store.port), timeout=10) as sock:
        sock.sendall(b"hello\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 400 ")
    put(boto(store), "a")


def test_gzip_put_by_the_sdk_stays_compressed(store: Store) -> None:
    """What is stored is what was sent."""
    packed = gzip.compress(b"text" * 100, mtime=0)
    put(boto(store), "a.css", packed, ContentEncoding="gzip")
    assert store.objects["a.css"].body == packed


def test_requests_are_logged_and_counted(store: Store) -> None:
    """Method, key, query and status; by operation."""
    client = boto(store)
    put(client, "a")
    client.list_objects_v2(Bucket="static", Prefix="p")
    with pytest.raises(client.exceptions.NoSuchKey):
        client.get_object(Bucket="static", Key="missing")
    assert [(e.method, e.key, e.status) for e in store.log] == [
        ("PUT", "a", 200), ("GET", "", 200), ("GET", "missing", 404),
    ]  # fmt: skip
    assert "prefix=p" in store.log[1].query
    assert store.counts == {"PutObject": 1, "ListObjectsV2": 1, "GetObject": 1}
    store.forget()
    assert (store.log, dict(store.counts)) == ([], {})


@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (503, "SlowDown")])
def test_a_rule_answers_with_an_error_so_often(store: Store, status: int, code: str) -> None:
    """Only the key it names, after one that passes, twice."""
    client = boto(store)
    rule = store.fail("PutObject", key="*.css", status=status, retry_after=3, after=1, times=2)
    outcomes, waits = [], set()
    for key in ["a.css", "a.js", "b.css", "c.css", "d.css"]:
        try:
            put(client, key)
            outcomes.append("stored")
        except botocore.exceptions.ClientError as error:
            outcomes.append(error.response["Error"]["Code"])
            waits.add(error.response["ResponseMetadata"]["HTTPHeaders"]["retry-after"])
    assert waits == {"3"}
    assert outcomes == ["stored", "stored", code, code, "stored"]
    assert rule.struck == 2


def test_a_seed_draws_the_same_blows(store: Store) -> None:
    """About the share that was asked for."""
    struck = []
    for _ in range(2):
        rule = store.strike(Kind.RESET, probability=0.3, seed=7)
        struck.append([rule.strikes("PutObject", str(n)) is not None for n in range(200)])
    assert struck[0] == struck[1]
    assert 30 < sum(struck[0]) < 90


def test_a_reset_hits_in_mid_body(store: Store) -> None:
    """Nothing is stored; the log says status 0."""
    store.strike(Kind.RESET, "PutObject", times=1)
    client = boto(store)
    with pytest.raises(botocore.exceptions.HTTPClientError):
        put(client, "a", b"x" * 3_000_000)
    assert not store.objects
    store.wait_for(lambda s: len(s.log) == 1)
    assert store.log[0].status == 0
    put(client, "a", b"x" * 3_000_000)


def test_a_hung_request_is_counted_and_ends_with_the_store() -> None:
    """A client that waits is reset when the store ends."""
    failures: list[Exception] = []
    store = Store().start()
    store.hang("PutObject")

    def wait() -> None:
        try:
            put(boto(store, read_timeout=60), "a")
        except botocore.exceptions.HTTPClientError as error:
            failures.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    store.wait_for(lambda s: s.in_flight == 1)
    store.stop()
    store.stop()
    thread.join(30)
    assert len(failures) == 1
    assert not store.objects


def test_a_hang_may_end_in_a_reset(store: Store) -> None:
    """After the seconds that were asked for."""
    store.hang("PutObject", seconds=0.05)
    with pytest.raises(botocore.exceptions.HTTPClientError):
        put(boto(store), "a")


def test_an_answer_may_break_off(store: Store) -> None:
    """The write has happened, a listing arrives in half."""
    client = boto(store)
    store.strike(Kind.TRUNCATE, times=2)
    with pytest.raises(botocore.exceptions.HTTPClientError):
        put(client, "a")
    assert "a" in store.objects
    with pytest.raises(  # the SDK turns half a listing into a 500 of its own
        (botocore.exceptions.ClientError, botocore.exceptions.HTTPClientError)
    ):
        client.list_objects_v2(Bucket="static")
    store.strike(Kind.TRUNCATE, times=1)
    with pytest.raises(obstore.exceptions.BaseError):
        list(obstore.list(rust(store)))


def test_damage_stores_other_bytes_and_says_so_in_the_etag(store: Store) -> None:
    """Even though the client sent a digest."""
    store.strike(Kind.DAMAGE)
    answer = put(boto(store), "a", b"good")
    assert store.objects["a"].body != b"good"
    assert answer["ETag"] == f'"{md5(store.objects["a"].body)}"'


@pytest.mark.parametrize("by_rule", [True, False])
def test_opaque_etags_are_no_md5s(store: Store, by_rule: bool) -> None:
    """In the answer and in the listing, in parts or whole."""
    if by_rule:
        store.strike(Kind.OPAQUE)
    store.opaque_etags = not by_rule
    client = boto(store)
    answer = put(client, "a", b"good")
    assert answer["ETag"] != f'"{md5(b"good")}"'
    listed = client.list_objects_v2(Bucket="static")["Contents"]
    assert [entry["ETag"] for entry in listed] == [answer["ETag"]]
    begun = client.create_multipart_upload(Bucket="static", Key="b")["UploadId"]
    client.upload_part(Bucket="static", Key="b", UploadId=begun, PartNumber=1, Body=b"x")
    done = client.complete_multipart_upload(
        Bucket="static", Key="b", UploadId=begun, MultipartUpload={"Parts": [{"PartNumber": 1}]}
    )
    assert done["ETag"] == f'"{store.objects["b"].etag}"'


def test_an_access_key_can_be_refused(store: Store) -> None:
    """With a 403."""
    store.refused.add("testing")
    with pytest.raises(botocore.exceptions.ClientError, match="InvalidAccessKeyId"):
        put(boto(store), "a")


def test_a_callable_may_judge(store: Store) -> None:
    """It sees the request; ``None`` lets it pass."""
    seen: list[str] = []
    store.faults.append(lambda request: seen.append(request.operation))
    put(boto(store), "a")
    assert seen == ["PutObject"]


def test_latency_delays_each_answer_but_not_the_others(store: Store) -> None:
    """Forty at once take about one latency, not forty."""
    store.latency = 0.25
    client = rust(store)
    begin = time.monotonic()
    threads = [threading.Thread(target=obstore.put, args=(client, str(n), b"x")) for n in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.monotonic() - begin
    assert len(store.objects) == 40
    assert store.most_in_flight > 1
    assert 0.25 <= taken < 5


def test_the_link_is_shared_and_bounded(store: Store) -> None:
    """Two megabytes at four a second take half a second, less what it starts with."""
    store.link.rate = 4_000_000
    begin = time.monotonic()
    threads = [
        threading.Thread(target=obstore.put, args=(rust(store), str(n), b"x" * 500_000))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - begin > 0.4
    assert all(len(stored.body) == 500_000 for stored in store.objects.values())


def test_more_than_the_rate_is_turned_away(store: Store) -> None:
    """503 SlowDown, once a second's worth is used up."""
    store.turnstile.rate = 5
    client = boto(store)
    for n in range(5):
        put(client, str(n))
    codes = []
    for n in range(3):
        try:
            put(client, f"late{n}")
        except botocore.exceptions.ClientError as error:
            codes.append(error.response["Error"]["Code"])
    assert "SlowDown" in codes


def test_a_million_foreign_objects_cost_nothing_until_listed(store: Store) -> None:
    """Under one prefix: a delimiter steps over them, a listing pages through them."""
    store.pretend(1_000_000, ("foreign/",))
    put_directly(store, "a")
    put_directly(store, "z")
    client = boto(store)
    page = client.list_objects_v2(Bucket="static", Delimiter="/")
    assert [entry["Key"] for entry in page["Contents"]] == ["a", "z"]
    assert [entry["Prefix"] for entry in page["CommonPrefixes"]] == ["foreign/"]
    page = client.list_objects_v2(Bucket="static")
    assert (page["IsTruncated"], page["KeyCount"]) == (True, 1000)
    assert page["Contents"][1]["Key"] == "foreign/~000000000"
    page = client.list_objects_v2(Bucket="static", StartAfter="foreign/~000999998")
    assert [entry["Key"] for entry in page["Contents"]] == ["foreign/~000999999", "z"]


def test_foreign_objects_can_lie_between_ours(store: Store) -> None:
    """After each of our names its share of them."""
    for key in ["a", "b"]:
        put_directly(store, key)
    store.pretend(4, ["a", "b"])
    pages = obstore.list(rust(store))
    assert [entry["path"] for page in pages for entry in page] == [
        "a", "a~000000000", "a~000000001", "b", "b~000000000", "b~000000001",
    ]  # fmt: skip
    store.pretend(0)
    assert len(obstore.list(rust(store)).collect()) == 2


def test_a_store_in_a_process_of_its_own_obeys_and_reports() -> None:
    """Its counts leave out the questions that were put to it."""
    with control.running("--latency", "0") as remote:
        remote.control(latency=0.001, bandwidth=None, rate=None, opaque_etags=False)
        remote.control(foreign=[3, ["f/"]], errors=[503, 1.0, 0])
        stand_in = Store()
        stand_in.port = int(remote.url.rsplit(":", 1)[1])
        client = boto(stand_in)
        with pytest.raises(botocore.exceptions.ClientError, match="SlowDown"):
            put(client, "a", b"12345")
        remote.control(errors=[0, 0, 0])
        put(client, "a", b"12345")
        assert remote.stats()["requests"] == {"PutObject": 2}
        assert remote.stats()["objects"] == 1
        assert remote.control(forget=True)["requests"] == {}
        assert remote.control(empty=True)["objects"] == 0
