"""A submission names who is told when its request has ended."""

from __future__ import annotations

import json

import pytest

from dequeuer.core.errors import SourceUnavailableError
from dequeuer.gateway.application import make_app
from dequeuer.gateway.webhooks import Webhooks
from tests.gateway.fakes import PREFIX, URL, FakeQueue, Store, make_gateway, serving

HOOK = "https://example.com/hook?token=1"
IN_CLUSTER = {"X-Request-ID": "id1", "X-Cortex-API-Name": "api", "X-Cortex-Queue-URL": URL}
OFFERED = Webhooks(is_offered=True, by_api={"with": "https://example.com/of-the-api"})


async def submit(
    store: Store, queue: FakeQueue, headers: dict[str, str], path: str = "/api", webhooks: Webhooks = OFFERED
) -> tuple[int, str]:
    app = make_app(make_gateway(store, queue), {"api": URL, "with": URL}, webhooks=webhooks)
    async with serving(app) as session, session.post(path, data=b"{}", headers=headers) as response:
        return response.status, await response.text()


@pytest.mark.parametrize("path", ["/api", "/"])
async def test_the_receiver_is_an_attribute_and_its_header_is_not_stored(
    store: Store, queue: FakeQueue, path: str
) -> None:
    status, _ = await submit(store, queue, {"X-Webhook-URL": HOOK, **(IN_CLUSTER if path == "/" else {})}, path)
    assert status == 200
    assert queue.attributes == [{"webhook": HOOK}]
    [stored] = [body for key, (body, _) in store.objects.items() if key.endswith("headers.json")]
    assert "webhook" not in json.dumps(json.loads(stored)).lower()
    assert "token" not in stored.decode()
    assert all(key.startswith(PREFIX) for key in store.objects)


async def test_an_api_may_have_a_receiver_and_a_submission_another(store: Store, queue: FakeQueue) -> None:
    await submit(store, queue, {}, "/with")
    await submit(store, queue, {"X-Webhook-URL": HOOK}, "/with")
    await submit(store, queue, {}, "/api")
    assert queue.attributes == [{"webhook": "https://example.com/of-the-api"}, {"webhook": HOOK}, {}]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://user:secret@example.com/",
        "https://example.com/" + "x" * 2048,
        "",
    ],
)
async def test_a_receiver_that_is_not_allowed_is_refused_and_nothing_is_stored(
    store: Store, queue: FakeQueue, url: str
) -> None:
    status, text = await submit(store, queue, {"X-Webhook-URL": url})
    assert status == 400
    assert json.loads(text)["code"] == "invalid_webhook"
    assert json.loads(text)["detail"].startswith("X-Webhook-URL: the URL ")
    assert "secret" not in text
    assert store.objects == {}
    assert queue.sent == []


async def test_without_webhooks_a_submission_that_wants_one_is_refused(store: Store, queue: FakeQueue) -> None:
    status, text = await submit(store, queue, {"X-Webhook-URL": HOOK}, webhooks=Webhooks())
    assert (status, json.loads(text)["code"]) == (400, "invalid_webhook")
    assert "DEQUEUER_WEBHOOK_QUEUE" in text
    assert queue.sent == []


async def test_two_receivers_are_refused(store: Store, queue: FakeQueue) -> None:
    app = make_app(make_gateway(store, queue), {"api": URL}, webhooks=OFFERED)
    headers = [("X-Webhook-URL", HOOK), ("X-Webhook-URL", HOOK)]
    async with serving(app) as session, session.post("/api", data=b"{}", headers=headers) as response:
        assert (response.status, response.content_type) == (400, "application/problem+json")
    assert queue.sent == []


async def test_a_submission_that_is_sent_again_keeps_its_receiver(store: Store, queue: FakeQueue) -> None:
    queue.error = SourceUnavailableError("down")
    headers = {**IN_CLUSTER, "X-Webhook-URL": HOOK}
    assert (await submit(store, queue, headers, "/"))[0] == 503
    queue.error = None
    assert (await submit(store, queue, headers, "/"))[0] == 200
    assert queue.attributes == [{"webhook": HOOK}]
