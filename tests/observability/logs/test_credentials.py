"""The lines about AWS credentials: where they come from, when a renewal begins to fail, when it is over."""

from typing import Any

import structlog
from structlog.testing import capture_logs

from dequeuer.core.events import CredentialsRenewalFailed, CredentialsRenewed
from dequeuer.observability.logs.credentials import CredentialsLines
from dequeuer.observability.logs.event_log import EventLog


def found(*, is_first: bool = False, reason: str = "") -> CredentialsRenewed:
    return CredentialsRenewed(provider="container", expires_at=1.75e9, is_first=is_first, reason=reason)


def failed(reason: str = "container credentials: 500") -> CredentialsRenewalFailed:
    return CredentialsRenewalFailed(provider="container", reason=reason, valid_for_s=899.7)


def lines(*events: CredentialsRenewed | CredentialsRenewalFailed) -> list[Any]:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 10
        return now

    with capture_logs() as captured:
        log = EventLog(CredentialsLines(structlog.get_logger(), clock=clock))
        for event in events:
            log(event)
    return captured


def test_the_provider_is_named_once_with_the_reason_for_the_sdks_chain() -> None:
    [line] = lines(found(is_first=True, reason="AWS_PROFILE is set"), found(), found())
    assert line == {
        "event": "credentials_found",
        "log_level": "info",
        "provider": "container",
        "reason": "AWS_PROFILE is set",
    }
    [line] = lines(found(is_first=True))
    assert "reason" not in line


def test_one_line_when_renewal_begins_to_fail_and_one_when_it_works_again() -> None:
    first, last = lines(found(), failed(), failed(), failed(), found(), found())
    assert first == {
        "event": "credentials_renewal_failing",
        "log_level": "warning",
        "provider": "container",
        "reason": "container credentials: 500",
        "valid_for_s": 899.7,
    }
    assert last == {
        "event": "credentials_renewed",
        "log_level": "info",
        "provider": "container",
        "after_s": 10.0,
        "failed_attempts": 3,
    }


def test_a_long_reason_is_clipped() -> None:
    [line] = lines(failed("x" * 10_000))
    assert len(line["reason"]) == 256
