"""The group of a message in a standard queue is its caller, where that is switched on."""

from __future__ import annotations

import json

import pytest

from dequeuer.gateway.queue import GroupsRefusedError
from tests.gateway.access.stage import access_stage, bearer, entry, make_tokens

# The longest name, and every character that a name may have beside letters and digits.
LONGEST = "tenant.a_b@c-" + "9" * 51
TOKENS = [entry("web"), entry("long") | {"name": LONGEST}]


async def test_the_group_is_the_name_of_the_caller_whatever_it_claims() -> None:
    async with access_stage(make_tokens(*TOKENS), fair_queues=True) as stage:
        for token in ("web", "long", "web"):
            headers = {**bearer(token), "MessageGroupId": "other", "X-Caller": "other"}
            status, _, _ = await stage.ask("POST", "/text", headers, b"payload")
            assert status == 200
        in_cluster = {"X-Request-ID": "id1", "X-Cortex-API-Name": "text", "X-Cortex-Queue-URL": stage.queue.sent[0][0]}
        assert (await stage.ask("POST", "/", {**bearer("web"), **in_cluster}, b"payload"))[0] == 200
        with_key = {**bearer("long"), "Idempotency-Key": "key"}
        assert (await stage.ask("POST", "/text", with_key, b"payload"))[0] == 200
    assert stage.queue.groups == ["web", LONGEST, "web", "web", LONGEST]


@pytest.mark.parametrize("fair_queues", [False, True])
async def test_without_the_option_or_a_caller_there_is_none(fair_queues: bool) -> None:
    tokens = None if fair_queues else make_tokens(*TOKENS)
    async with access_stage(tokens, fair_queues=fair_queues) as stage:
        assert (await stage.ask("POST", "/text", bearer("web"), b"payload"))[0] == 200
    assert stage.queue.groups == [""]


async def test_a_server_without_them_is_named_with_what_to_do() -> None:
    async with access_stage(make_tokens(*TOKENS), fair_queues=True) as stage:
        stage.queue.error = GroupsRefusedError("secret of the server")
        status, headers, text = await stage.ask("POST", "/text", bearer("web"), b"payload")
        assert (status, headers["Retry-After"]) == (503, "1")
        assert text == (
            "error: the queue of API text takes no message groups, and DEQUEUER_FAIR_QUEUES of the gateway is true: "
            "nothing was enqueued; set it to false, or use a server that has fair queues"
        )
        assert stage.store.objects == {}
        stage.queue.error = None
        status, _, text = await stage.ask("POST", "/text", bearer("web"), b"payload")
        assert (status, "id" in json.loads(text)) == (200, True)
