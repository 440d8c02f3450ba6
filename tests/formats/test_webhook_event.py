"""Ends of requests, in the outbox and in the body of the webhook."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dequeuer.core.errors import InvalidInputError
from dequeuer.formats.webhook_event import (
    MAX_MESSAGE_CHARS,
    WebhookEvent,
    decode_event,
    encode_event,
    webhook_body,
    webhook_id,
)

EVENT = WebhookEvent(
    url="https://example.com/hook", api_name="api", request_id="r1", status="completed", ended_at=1_700_000_000.125
)
FAILED = replace(EVENT, status="failed", error="the container answered 500", code="container_status")


@pytest.mark.parametrize("event", [EVENT, FAILED])
def test_an_event_comes_out_of_the_outbox_as_it_went_in(event: WebhookEvent) -> None:
    assert decode_event(encode_event(event)) == event


@pytest.mark.parametrize(
    "changed",
    [
        {"dequeuer_webhook": 2},
        {"url": 1},
        {"id": "../x"},
        {"api_name": "a/b"},
        {"status": "queued"},
        {"ended_at": "now"},
        {"ended_at": -1},
        {"ended_at": 1e300},
        {"error": 5},
        {"url": "x" * MAX_MESSAGE_CHARS},
    ],
)
def test_any_other_message_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError):
        decode_event(json.dumps(json.loads(encode_event(EVENT)) | changed))


@pytest.mark.parametrize("message", ["", "r1", "[]", "[" * 5000, "null"])
def test_what_is_no_object_is_refused(message: str) -> None:
    with pytest.raises(InvalidInputError):
        decode_event(message)


def test_the_body_says_what_has_happened_and_where_the_result_is() -> None:
    assert json.loads(webhook_body(EVENT, "https://gateway.example.com/")) == {
        "type": "request.completed",
        "timestamp": "2023-11-14T22:13:20.125Z",
        "data": {
            "id": "r1",
            "api_name": "api",
            "status": "completed",
            "result_url": "https://gateway.example.com/api/r1",
        },
    }
    assert json.loads(webhook_body(FAILED, None)) == {
        "type": "request.failed",
        "timestamp": "2023-11-14T22:13:20.125Z",
        "data": {
            "id": "r1",
            "api_name": "api",
            "status": "failed",
            "error": {"code": "container_status", "message": "the container answered 500"},
        },
    }


def test_the_id_is_that_of_the_end_and_of_nothing_else() -> None:
    assert webhook_id("uid", EVENT) == webhook_id("uid", replace(EVENT, ended_at=1.0, url="https://other.example"))
    others = [replace(EVENT, api_name="b"), replace(EVENT, request_id="r2"), FAILED]
    assert len({webhook_id("uid", EVENT), webhook_id("u2", EVENT), *(webhook_id("uid", one) for one in others)}) == 5
