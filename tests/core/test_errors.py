from __future__ import annotations

from dequeuer.core.errors import mask, quoted

Q = "https://sqs.us-west-2.amazonaws.com/1/q"


def test_credentials_of_urls_are_masked() -> None:
    assert mask("https://me:se/c@ret@host/q") == "https://***@host/q"
    assert mask("https://host/q?X-Amz-Signature=1\n2") == "https://host/q?***"
    assert mask(Q) == Q


def test_what_is_quoted_is_masked_printable_and_short() -> None:
    assert quoted("https://me:secret@h") == '"https://***@h"'
    assert quoted("a\nb") == '"a\N{REPLACEMENT CHARACTER}b"'
    assert len(quoted("x" * 10_000)) < 1000
