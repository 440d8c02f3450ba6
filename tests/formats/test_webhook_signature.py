"""Signatures as Standard Webhooks defines them; the package of its authors verifies them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from dequeuer.formats.webhook_signature import MAX_KEYS, InvalidKeysError, parse_keys, signatures

OLD, NEW = ("whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"o", b"n"))


def test_the_example_of_the_specification() -> None:
    keys = parse_keys("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    signed = signatures(keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("known", [OLD, NEW])
def test_a_receiver_may_know_any_of_the_keys(known: str) -> None:
    body, now = b'{"type": "request.completed"}', int(datetime.now(UTC).timestamp())
    signed = signatures(parse_keys(f"{OLD}\n{NEW}\n"), "msg_1", now, body)
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(now), "webhook-signature": signed}
    assert Webhook(known).verify(body, headers) == {"type": "request.completed"}
    with pytest.raises(WebhookVerificationError):
        Webhook(known).verify(body + b" ", headers)


def test_lines_that_are_no_keys_do_not_count() -> None:
    assert parse_keys(f"# of 2026\n\n  {OLD}  \n") == (b"o" * 32,)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no key"),
        ("# nothing", "no key"),
        ("secret", "line 1 does not begin"),
        (f"{OLD}\nwhsec_!!", "line 2 is not base64"),
        ("whsec_" + base64.b64encode(b"k" * 23).decode(), "23 bytes"),
        ("whsec_" + base64.b64encode(b"k" * 65).decode(), "65 bytes"),
        (f"{OLD}\n" * (MAX_KEYS + 1), "more than"),
    ],
)
def test_a_file_that_is_wrong_is_refused_without_a_quote(text: str, reason: str) -> None:
    with pytest.raises(InvalidKeysError, match=reason) as caught:
        parse_keys(text)
    assert "secret" not in str(caught.value)
