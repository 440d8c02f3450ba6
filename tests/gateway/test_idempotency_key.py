from __future__ import annotations

import pytest

from dequeuer.gateway.idempotency_key import IdempotencyKey, InvalidKeyError, read_key


@pytest.mark.parametrize(
    ("text", "value"),
    [('"abc"', "abc"), ("abc", "abc"), (r'"a\"b\\c"', r"a\b\c".replace("a\\b", 'a"b')), ('" "', " "), ("x" * 255,) * 2],
)
def test_what_a_key_is(text: str, value: str) -> None:
    assert read_key([text], "") == IdempotencyKey(caller="", value=value)


@pytest.mark.parametrize(
    "texts", [[""], ['""'], ['"'], ['"a'], ["a b"], ["a,b"], ["a;b"], ["é"], ["x" * 256], ['"a\\b"'], ["a", "a"]]
)
def test_what_a_key_is_not(texts: list[str]) -> None:
    with pytest.raises(InvalidKeyError):
        read_key(texts, "")


def test_callers_and_keys_are_told_apart() -> None:
    assert read_key([], "") is None
    digests = {IdempotencyKey(caller=caller, value=value).digest for caller in ("", "a", "b") for value in ("k", "l")}
    assert len(digests) == 6
