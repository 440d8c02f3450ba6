from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.settings.parsers import InvalidValueError, Parser
from dequeuer.settings.text_parsers import (
    ADDRESS,
    BUCKET,
    HOST,
    HOSTS,
    NAME,
    PATH,
    QUEUE_URL,
    QUEUES,
    REGION,
    URL,
    queue_region,
)

Q = "https://sqs.us-west-2.amazonaws.com/1/q"


@pytest.mark.parametrize(
    ("parser", "text"),
    [
        (NAME, "a"),
        (NAME, "My_api.v2-x"),
        (NAME, "9" * 128),
        (REGION, "us-gov-west-1"),
        (REGION, "local"),
        (BUCKET, "abc"),
        (BUCKET, "2026"),
        (BUCKET, "a.b-c.d"),
        (BUCKET, "cortex-0123.example"),
        (BUCKET, "arn:aws:s3:us-west-2:123456789012:accesspoint/mine"),
        (HOST, "0.0.0.0"),
        (HOST, "::"),
        (HOST, "localhost"),
        (HOST, "my_service.namespace.svc."),
        (PATH, "/cortex/spec/probes.json"),
        (PATH, "a b"),
        (URL, "http://127.0.0.1:4566"),
        (URL, "HTTPS://[::1]:8443/base"),
        (QUEUE_URL, "http://localhost:4566/000000000000/q.fifo"),
    ],
)
def test_valid_names_and_urls_are_returned_unchanged(parser: Parser[str], text: str) -> None:
    assert parser.read(text) == text


@pytest.mark.parametrize(
    ("parser", "text"),
    [
        *[(NAME, text) for text in ("", "-a", ".a", "a/b", "../x", "a b", "a\n", "ä", "a:b", "9" * 129)],
        *[(REGION, text) for text in ("", "US-west-2", "us_west", "us-west-2.", "-a", "a-", "a/b", "x" * 64)],
        *[
            (BUCKET, text)
            for text in (
                "a..b",
                "192.168.1.1",
                "ab",
                "A-bucket",
                "a_b",
                "-abc",
                "abc-",
                "a" * 64,
                "s3://abc",
                "arn:aws:s3:::abc",
            )
        ],
        *[
            (HOST, text)
            for text in ("", "fe80::1%a\nb", "1.2.3", "256.1.1.1", "[::1]", "a b", "a..b", "a/b", "-a", ":1", "a:1")
        ],
        *[(PATH, text) for text in ("a\0b", "a\nb", "x" * 4097, "\udcff")],
        *[(URL, text) for text in ("", "x", "ftp://a", "http://", "http://a b", "http://a\n", "http://a:99999", "//a")],
        *[(URL, text) for text in ("http://[::1", "http://a:0", "http://a?b=c", "http://a#b", "http://a:x", "s3://a")],
        *[(URL, text) for text in ("https://user:secret@a/", "http:///path", "http://a\tb/", "http://a/" + "x" * 2048)],
        *[
            (QUEUE_URL, text)
            for text in ("https://sqs.us-west-2.amazonaws.com", "https://a/", "my-queue", "arn:aws:sqs:a")
        ],
    ],
)
def test_other_names_and_urls_are_refused(parser: Parser[str], text: str) -> None:
    with pytest.raises(InvalidValueError):
        parser.read(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.0.0.1:9125", ("10.0.0.1", 9125)),
        ("statsd.ns:1", ("statsd.ns", 1)),
        ("[::1]:8125", ("[::1]", 8125)),
    ],
)
def test_addresses_have_a_host_and_a_port(text: str, address: tuple[str, int]) -> None:
    assert ADDRESS.read(text) == address


@pytest.mark.parametrize(
    "text", ["", "a", ":1", "a:", "a:0", "a:65536", "::1:8125", "[a]:1", "[::1]", "udp://a:1", "a:1:2"]
)
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(InvalidValueError):
        ADDRESS.read(text)


def test_queues_are_listed_by_api() -> None:
    queues = QUEUES.read(f"one={Q}, two=http://a:1/2/q=3")
    assert dict(queues) == {"one": Q, "two": "http://a:1/2/q=3"}
    with pytest.raises(TypeError):
        queues["three"] = Q  # type: ignore[index]  # that is the test


@pytest.mark.parametrize(
    ("text", "blamed"),
    [
        (f"one={Q},", '""'),
        (Q, "does not begin"),
        (f"a/b={Q}", "a/b"),
        (f"={Q}", "does not begin"),
        (f"one={Q},one={Q}", "one is there twice"),
        ("one=", "not the URL"),
        ("one=ftp://a/b", "ftp://a/b"),
    ],
)
def test_a_bad_queue_is_named(text: str, blamed: str) -> None:
    with pytest.raises(InvalidValueError, match=blamed):
        QUEUES.read(text)


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("sqs.us-west-2.amazonaws.com", "us-west-2"),
        ("sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("us-west-2.queue.amazonaws.com", "us-west-2"),
        ("cn-north-1.queue.amazonaws.com.cn", "cn-north-1"),
        ("queue.amazonaws.com", "us-east-1"),
        ("sqs-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("sqs.eu-central-1.api.aws", "eu-central-1"),
        ("vpce-1-2.sqs.us-east-1.vpce.amazonaws.com", "us-east-1"),
        ("sqs.us-east-1.localhost.localstack.cloud:4566", "us-east-1"),
        ("SQS.US-WEST-2.AMAZONAWS.COM", "us-west-2"),
        ("127.0.0.1:4566", None),
        ("localhost", None),
        ("sqs.internal.example.com", None),
        ("notsqs.us-west-2.amazonaws.com", None),
    ],
)
def test_the_host_of_a_queue_may_name_its_region(host: str, region: str | None) -> None:
    assert queue_region(f"https://{host}/123456789012/q") == region


ALL: list[Parser[Any]] = [ADDRESS, BUCKET, HOST, NAME, PATH, QUEUE_URL, QUEUES, REGION, URL]


@given(st.sampled_from(ALL), st.text() | st.text(alphabet="htps:/[]@?#=,.a1%"))
def test_nothing_but_a_refusal_is_raised(parser: Parser[Any], text: str) -> None:
    try:
        parser.read(text)
    except InvalidValueError:
        assert parser.allowed


def test_hosts_are_separated_by_commas() -> None:
    assert HOSTS.read("127.0.0.1") == ("127.0.0.1",)
    assert HOSTS.read("127.0.0.1, ::1,name") == ("127.0.0.1", "::1", "name")


@pytest.mark.parametrize("text", ["", ",", "::1,", "::1,::1", "a b,::1", "127.0.0.1 ::1", "[::1],127.0.0.1"])
def test_other_hosts_are_refused(text: str) -> None:
    with pytest.raises(InvalidValueError):
        HOSTS.read(text)
