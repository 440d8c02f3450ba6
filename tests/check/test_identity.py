from __future__ import annotations

import pytest

from dequeuer.check.finding import State, Verdict
from dequeuer.check.identity import Caller, judge_account, judge_keys, read_caller
from dequeuer.check.plan import QueueNeed

NOW_S = 1_800_000_000.0


@pytest.mark.parametrize(
    ("provider", "left_s", "state"),
    [
        ("environment", None, "ok"),
        ("environment", 900.0, "ok"),
        ("environment", 899.0, "warning"),
        # These are renewed.
        ("web_identity", 60.0, "ok"),
        ("imds", None, "ok"),
    ],
)
def test_keys_that_cannot_be_renewed_must_last(provider: str, left_s: float | None, state: State) -> None:
    verdict = judge_keys(provider, "AKIAIOSFODNN7EXAMPLE", None if left_s is None else NOW_S + left_s, NOW_S)
    assert verdict.state == state
    assert "AKIAIOS" not in verdict.found


@pytest.mark.parametrize(
    ("url", "state"),
    [
        ("https://sqs.us-west-2.amazonaws.com/111122223333/q", "ok"),
        ("https://sqs.us-west-2.amazonaws.com/444455556666/q", "warning"),
        ("http://127.0.0.1:9324/queue/q", "not_known"),
    ],
)
def test_the_account_of_a_queue_is_compared_with_the_caller(url: str, state: State) -> None:
    caller = Caller(arn="arn:aws:iam::111122223333:user/me", account="111122223333")
    need = QueueNeed(url=url, option="DEQUEUER_QUEUE_URL", use="async")
    assert judge_account(caller, need).state == state


def response(result: str) -> bytes:
    begin = '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    return f"{begin}{result}</GetCallerIdentityResponse>".encode()


def test_the_caller_is_read_from_the_response_of_sts() -> None:
    fields = "<Arn>arn:aws:iam::1:user/me</Arn><UserId>U</UserId><Account>1</Account>"
    found = read_caller(response(f"<GetCallerIdentityResult>{fields}</GetCallerIdentityResult>"))
    assert found == Caller(arn="arn:aws:iam::1:user/me", account="1")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"<Other/>",
        response(""),
        response("<GetCallerIdentityResult><Arn>a</Arn></GetCallerIdentityResult>"),
        response("<GetCallerIdentityResult><Account>1</Account></GetCallerIdentityResult>"),
    ],
)
def test_another_response_is_not_known(body: bytes) -> None:
    found = read_caller(body)
    assert isinstance(found, Verdict)
    assert found.state == "not_known"
