import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.core.errors import InvalidInputError
from dequeuer.formats.headers import MAX_BYTES, MAX_FIELDS, dump_headers, forwardable, parse_headers

tokens = st.text("!#$%&'*+-.^_`|~0123456789abcXYZ", min_size=1, max_size=20)
field_values = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_characters="\x7f"), max_size=30)


def test_lists_of_values_in_order() -> None:
    raw = b'{"Content-Type": ["text/csv"], "X-Twice": ["1", "2"], "X-None": [], "X-Null": null}'
    assert parse_headers(raw) == [("Content-Type", "text/csv"), ("X-Twice", "1"), ("X-Twice", "2")]


@pytest.mark.parametrize("raw", [b"null", b"{}", b" null\n"])
def test_no_headers(raw: bytes) -> None:
    assert parse_headers(raw) == []


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"[]", b"1", b'"x"', b"true", b'{"a": "x"}', b'{"a": {"b": "c"}}', b'{"a": [1]}', b'{"a": [null]}',
        b'{"a": ["x\\r\\ny"]}', b'{"a": ["x\\ny"]}', b'{"a": ["x\\u0000y"]}', b'{"a": ["\\u007f"]}', b'{"a": ["\\ud800"]}',
        b'{"a b": ["x"]}', b'{"": ["x"]}', b'{"a:": ["x"]}', b'{"a\\n": ["x"]}', b'{"na\xc3\xafve": ["x"]}', b"\xff",
        b"[" * 100_000,
    ],
    ids=lambda raw: repr(raw[:24]),
)  # fmt: skip
def test_malformed(raw: bytes) -> None:
    with pytest.raises(InvalidInputError, match=r"headers\.json"):
        parse_headers(raw)


def test_too_many_and_too_large() -> None:
    with pytest.raises(InvalidInputError, match="are allowed"):
        parse_headers(json.dumps({"a": ["x"] * (MAX_FIELDS + 1)}).encode())
    with pytest.raises(InvalidInputError, match="are allowed"):
        parse_headers(json.dumps({"a": ["x" * (MAX_BYTES + 1)]}).encode())


def test_errors_never_hold_a_value() -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_headers(b'{"Authorization": ["Bearer s3cret\\n"]}')
    assert "s3cret" not in str(caught.value)
    assert "Authorization" in str(caught.value)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        fields = parse_headers(raw)
    except InvalidInputError:
        return
    assert all("\n" not in value for _, value in fields)


def test_hop_by_hop_headers_are_not_forwarded() -> None:
    given_headers = [
        ("Connection", "close, X-Named"),
        ("x-named", "gone"),
        ("Keep-Alive", "gone"),
        ("Proxy-Connection", "gone"),
        ("TE", "gone"),
        ("Transfer-Encoding", "gone"),
        ("Upgrade", "gone"),
        ("HOST", "gone"),
        ("content-length", "gone"),
        ("Expect", "gone"),
        ("X-Cortex-Request-Id", "gone"),
        ("Authorization", "kept"),
        ("Set-Cookie", "1"),
        ("set-cookie", "2"),
    ]
    assert forwardable(given_headers) == [("Authorization", "kept"), ("Set-Cookie", "1"), ("set-cookie", "2")]


def test_written_as_go_writes_http_header() -> None:
    pairs = [("x-request-id", "1"), ("ACCEPT", "a"), ("X-Request-ID", "2"), ("not a token", "x")]
    assert dump_headers(pairs) == b'{"Accept":["a"],"X-Request-Id":["1","2"],"not a token":["x"]}'


@given(st.lists(st.tuples(tokens, field_values), max_size=20))
def test_what_the_gateway_writes_the_sidecar_reads(pairs: list[tuple[str, str]]) -> None:
    read = parse_headers(dump_headers(pairs))
    assert sorted((name.lower(), value) for name, value in read) == sorted((name.lower(), v) for name, v in pairs)
