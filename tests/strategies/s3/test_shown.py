"""What a HEAD shows, compared with what would be sent."""

from __future__ import annotations

from typing import Any

import pytest

from collectfasta.strategies.s3.shown import same

HEAD = {"ContentType": "text/css", "ContentLength": 3, "ETag": '"x"'}
PARAMS = {"ContentType": "text/css"}


@pytest.mark.parametrize(
    ("params", "head"),
    [
        ({}, {}),
        ({}, {"ContentEncoding": "", "Metadata": {}}),
        ({"ACL": "public-read", "Tagging": "a=b"}, {}),  # which no HEAD shows
        ({"CacheControl": "x"}, {"CacheControl": "x"}),
        ({"ContentEncoding": "gzip"}, {"ContentEncoding": "aws-chunked,gzip"}),
        ({}, {"ContentEncoding": "aws-chunked"}),
        ({"Metadata": {"Owner": "w"}}, {"Metadata": {"owner": "w"}}),
        ({}, {"Metadata": {"mtime": "1", "s3cmd-attrs": "x", "file-owner": "y"}}),
        ({"Metadata": {"mode": "1"}}, {"Metadata": {"mode": "1"}}),
        ({"StorageClass": "STANDARD"}, {}),
        ({}, {"StorageClass": "GLACIER"}),  # the bucket's own doing
        ({}, {"ServerSideEncryption": "AES256"}),
        ({"ServerSideEncryption": "aws:kms"}, {"ServerSideEncryption": "aws:kms"}),
        ({"Expires": "Thu, 01 Jan 2040 00:00:00 GMT"},
         {"ExpiresString": "Thu, 01 Jan 2040 00:00:00 GMT"}),
    ],
)  # fmt: skip
def test_the_same_headers_are_recognised(params: dict[str, Any], head: dict[str, Any]) -> None:
    """Whatever a server or the bucket adds of its own."""
    assert same({**PARAMS, **params}, {**HEAD, **head})


@pytest.mark.parametrize(
    ("params", "head"),
    [
        ({"ContentType": "text/plain"}, {}),
        ({"CacheControl": "x"}, {}),
        ({}, {"CacheControl": "x"}),
        ({}, {"ContentEncoding": "gzip"}),
        ({}, {"ContentDisposition": "inline"}),
        ({"ContentLanguage": "en"}, {"ContentLanguage": "de"}),
        ({"Metadata": {"owner": "w"}}, {}),
        ({}, {"Metadata": {"owner": "w"}}),
        ({"Metadata": {"mode": "1"}}, {"Metadata": {"mode": "2"}}),
        ({"StorageClass": "STANDARD_IA"}, {}),
        ({"ServerSideEncryption": "aws:kms"}, {"ServerSideEncryption": "AES256"}),
        ({"WebsiteRedirectLocation": "/x"}, {}),
        ({"Expires": "Thu, 01 Jan 2040 00:00:00 GMT"}, {}),
    ],
)
def test_every_difference_that_a_head_shows_is_seen(
    params: dict[str, Any], head: dict[str, Any]
) -> None:
    """In either direction where the storage would have decided."""
    assert not same({**PARAMS, **params}, {**HEAD, **head})
