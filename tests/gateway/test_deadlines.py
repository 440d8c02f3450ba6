"""`Cancel-After` and `Deadline`: which texts are one, and what is said of the others."""

from __future__ import annotations

import json

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from dequeuer.core import clock
from dequeuer.formats.deadline import deadline_of
from dequeuer.gateway.application import make_app
from dequeuer.gateway.deadlines import ANY_DEADLINE, DAY_S, Deadlines
from dequeuer.gateway.problems import ProblemError
from dequeuer.gateway.service import Gateway
from dequeuer.sinks.layout import RequestKeys
from tests.gateway.fakes import URL, FakeQueue, Store, serving

NOW = 1_700_000_000.0


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "wall", lambda: NOW)


def deadline(*fields: tuple[str, str]) -> float | None:
    """The deadline that a sidecar reads."""
    return deadline_of(ANY_DEADLINE.attributes_of(make_mocked_request("POST", "/api", CIMultiDict(fields))))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), ("0", 0), ("0.5", 0.5), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("1500ms", 1.5), (" 30 ", 30)],
)
def test_a_time_from_now(text: str, seconds: float) -> None:
    assert deadline(("Cancel-After", text)) == NOW + seconds


@pytest.mark.parametrize(
    "text",
    ["2023-11-14T22:13:50Z", "2023-11-14T22:13:50.0z", "2023-11-14T23:13:50+01:00", "Tue, 14 Nov 2023 22:13:50 GMT"],
)
def test_a_moment(text: str) -> None:
    assert deadline(("Deadline", text)) == NOW + 30


def test_a_moment_that_has_passed_is_a_deadline() -> None:
    assert deadline(("Deadline", "1969-01-01T00:00:00Z")) == 0.0


def test_most_submissions_have_none() -> None:
    assert ANY_DEADLINE.attributes_of(make_mocked_request("POST", "/api")) == {}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ([("Cancel-After", "soon")], 'Cancel-After is "soon"; allowed: a time such as 30, 30s, 5m or 1h30m'),
        ([("Cancel-After", "-1")], "allowed: a time"),
        ([("Cancel-After", "1e9")], "allowed: a time"),
        ([("Cancel-After", "30s later")], "allowed: a time"),
        ([("Cancel-After", "")], "allowed: a time"),
        ([("Cancel-After", "9" * 100)], "allowed: a time"),
        ([("Cancel-After", "400h")], "up to 14 days"),
        ([("Deadline", "tomorrow")], 'Deadline is "tomorrow"; allowed: a date of HTTP or RFC 3339'),
        ([("Deadline", "30")], "allowed: a date"),
        ([("Deadline", "9999-01-01T00:00:00Z")], "up to 14 days"),
        ([("Deadline", "2023-99-99T00:00:00Z")], "allowed: a date"),
        ([("Cancel-After", "1"), ("Cancel-After", "2")], "2 deadlines are given"),
        ([("Cancel-After", "1"), ("Deadline", "2023-11-14T22:13:50Z")], "send one of Cancel-After and Deadline"),
    ],
)
def test_what_is_refused_says_why(fields: list[tuple[str, str]], text: str) -> None:
    with pytest.raises(ProblemError) as caught:
        deadline(*fields)
    assert text in str(caught.value)
    assert (caught.value.status, caught.value.code) == (400, "invalid_deadline")


@pytest.mark.parametrize(
    ("kept_days", "days", "reason"),
    [
        (0, 14, "as long as a queue keeps a message"),
        (1, 1, "as long as the bucket keeps a request"),
        (7, 7, "as long as the bucket keeps a request"),
        (13, 13, "as long as the bucket keeps a request"),
        (30, 14, "as long as a queue keeps a message"),
    ],
)
def test_no_deadline_is_further_ahead_than_the_request_is_kept(kept_days: int, days: int, reason: str) -> None:
    deadlines = Deadlines(kept_days=kept_days)

    def after(seconds: float) -> float | None:
        fields = CIMultiDict([("Cancel-After", f"{seconds:.0f}")])
        return deadline_of(deadlines.attributes_of(make_mocked_request("POST", "/api", fields)))

    assert after(days * DAY_S) == NOW + days * DAY_S
    with pytest.raises(ProblemError, match=f"up to {days} days from now, {reason}"):
        after(days * DAY_S + 1)


async def test_a_deadline_is_an_attribute_of_the_message_and_no_header_of_the_container(
    store: Store, gateway: Gateway, queue: FakeQueue
) -> None:
    async with serving(make_app(gateway, {"api": URL})) as http:
        async with http.post("/api", data=b"1", headers={"Cancel-After": "30s", "X-Mine": "1"}) as answer:
            assert answer.status == 200
            document = await answer.json()
        assert deadline_of(queue.attributes[0]) == NOW + 30
        stored = json.loads(store.objects[RequestKeys("uid", "api", document["id"]).headers][0])
        assert "X-Mine" in stored
        assert "Cancel-After" not in stored
        sent = len(queue.sent)
        async with http.post("/api", data=b"1", headers={"Cancel-After": "soon"}) as answer:
            assert (answer.status, answer.content_type) == (400, "application/problem+json")
            told = await answer.json()
        assert (told["code"], told["status"]) == ("invalid_deadline", 400)
        assert len(queue.sent) == sent
