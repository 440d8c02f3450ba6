import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.core.errors import InvalidInputError
from dequeuer.formats.envelope import MAX_BYTES, Envelope, decode_envelope, encode_envelope, is_envelope, request_id_of
from dequeuer.formats.request_id import is_request_id

GOOD = {"dequeuer": 1, "id": "r1", "headers": {"A": ["b"]}, "type": "text/plain", "payload": "aGVsbG8="}


def test_the_form() -> None:
    sealed = encode_envelope(
        Envelope(request_id="r1", headers=b'{"A":["b"]}', content_type="text/plain", payload=b"hello")
    )
    assert sealed == '{"dequeuer":1,"id":"r1","headers":{"A":["b"]},"type":"text/plain","payload":"aGVsbG8="}'


@given(payload=st.binary(max_size=3000), value=st.text(), content_type=st.text(), again=st.booleans())
def test_an_encoded_envelope_decodes_to_the_same(payload: bytes, value: str, content_type: str, again: bool) -> None:
    headers = json.dumps({"A": [value]}).encode()
    before = Envelope(request_id="r1", headers=headers, content_type=content_type, payload=payload, may_repeat=again)
    sealed = encode_envelope(before)
    assert sealed.isascii()
    assert sealed.isprintable()
    assert is_envelope(sealed)
    assert request_id_of(sealed) == "r1"
    after = decode_envelope(sealed)
    assert json.loads(after.headers) == json.loads(headers)
    kept = content_type if content_type.isascii() and content_type.isprintable() and content_type else None
    assert (after.request_id, after.content_type, after.payload, after.may_repeat) == ("r1", kept, payload, again)


@pytest.mark.parametrize("content_type", ["text/plain\r\nX: y", "\ud800", "text/\0plain", "té/xt", ""])
def test_a_type_that_cannot_be_a_header_value_is_ignored(content_type: str) -> None:
    assert decode_envelope(json.dumps({**GOOD, "type": content_type})).content_type is None


def test_fields_of_later_writers_are_ignored_and_headers_may_be_left_out() -> None:
    more = {**GOOD, "later": [1], "headers": None, "type": None}
    envelope = decode_envelope(json.dumps(more))
    assert (envelope.headers, envelope.content_type, envelope.payload) == (b"null", None, b"hello")


@pytest.mark.parametrize(
    "body",
    [
        '{"dequeuer":',
        '{"dequeuer":' + "[" * 100_000,
        json.dumps({**GOOD, "dequeuer": 2}),
        json.dumps({**GOOD, "dequeuer": True}),
        json.dumps({**GOOD, "id": 1}),
        json.dumps({**GOOD, "id": "../secret"}),
        json.dumps({**GOOD, "payload": None}),
        json.dumps({**GOOD, "payload": "secret!"}),
        json.dumps({**GOOD, "payload": "secretsé"}, ensure_ascii=False),
        json.dumps({**GOOD, "type": ["text/plain"]}),
    ],
)
def test_what_is_malformed_is_refused_and_not_quoted(body: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        decode_envelope(body)
    assert "secret" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(("body", "request_id"), [("r1", "r1"), ("", ""), ("[1]", ""), ('{"other": 1}', "")])
def test_a_plain_body_is_the_request_id_if_it_is_a_valid_one(body: str, request_id: str) -> None:
    assert not is_envelope(body)
    assert request_id_of(body) == request_id


def test_an_id_that_is_not_the_first_field_is_not_found() -> None:
    assert request_id_of('{"dequeuer":1,"payload":"x","id":"r1"}') == ""
    assert request_id_of('{"dequeuer":1,"id":"' + "x" * 200 + '"') == ""


def test_no_request_id_is_an_envelope() -> None:
    assert not is_request_id('{"dequeuer":1}')


def test_the_largest_inline_payload_fits_with_ordinary_headers() -> None:
    headers = json.dumps({"A": ["x" * 60_000]}).encode()
    sealed = encode_envelope(
        Envelope(request_id="r" * 128, headers=headers, content_type="x", payload=b"\xff" * 128 * 1024)
    )
    assert len(sealed) <= MAX_BYTES
    assert base64.b64encode(b"\xff" * 128 * 1024).decode() in sealed
