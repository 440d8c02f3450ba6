"""What receivers are told on the page of webhooks works."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dequeuer.formats.webhook_signature import parse_keys, signatures

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")
OLD, NEW = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_" + "TmV3" * 10


@pytest.fixture
def is_genuine() -> Callable[[str, dict[str, str], bytes], bool]:
    """Return the function of the page."""
    [code] = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "def is_genuine" in block]
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - what the page tells people to run
    found: Callable[[str, dict[str, str], bytes], bool] = names["is_genuine"]
    return found


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_the_sample_takes_what_is_signed_with_any_of_the_keys(
    is_genuine: Callable[[str, dict[str, str], bytes], bool], secret: str
) -> None:
    now = int(time.time())
    signed = signatures(parse_keys(f"{OLD}\n{NEW}"), "msg_1", now, b"{}")
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(now), "webhook-signature": signed}
    assert is_genuine(secret, headers, b"{}")
    assert not is_genuine(secret, headers, b"{ }")
    assert not is_genuine(secret, {**headers, "webhook-id": "msg_2"}, b"{}")
    assert not is_genuine("whsec_" + "AAAA" * 10, headers, b"{}")


def test_the_sample_refuses_what_was_recorded(is_genuine: Callable[[str, dict[str, str], bytes], bool]) -> None:
    then = int(time.time()) - 3600
    signed = signatures(parse_keys(OLD), "msg_1", then, b"{}")
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(then), "webhook-signature": signed}
    assert not is_genuine(OLD, headers, b"{}")
