from __future__ import annotations

import json
from collections.abc import Collection

import pytest

from dequeuer.gateway.access.redaction import CREDENTIALS, Redaction
from tests.gateway.access.stage import access_stage, bearer, entry, make_tokens
from tests.gateway.realtime import answer_ok, realtime

SENT = [("Authorization", "1"), ("authorization", "2"), ("COOKIE", "3"), ("X_Api_Key", "4"), ("X-Other", "5")]


@pytest.mark.parametrize(
    ("names", "passed", "has_tokens", "kept"),
    [
        (None, (), False, "12345"),  # as in Cortex: the container gets what was submitted
        (None, (), True, "5"),
        (None, ("authorization",), True, "125"),
        (None, ("Authorization", "x-api-key"), True, "1245"),
        (("Cookie",), (), False, "1245"),
        (("Cookie",), (), True, "45"),
        ((), (), True, "345"),
        ((), ("Authorization",), True, "12345"),
        (("x-api_key", "x-other"), ("X-OTHER",), False, "1235"),
    ],
)
def test_what_is_stored(names: Collection[str] | None, passed: Collection[str], has_tokens: bool, kept: str) -> None:
    redaction = Redaction(names, passed, has_tokens=has_tokens)
    assert "".join(value for _, value in redaction.without(SENT)) == kept
    assert redaction.keeps_token == ("1" in kept or not has_tokens)


async def test_the_gateways_own_token_is_not_stored() -> None:
    redaction = Redaction(has_tokens=True)
    headers = bearer("web") | dict.fromkeys(CREDENTIALS[1:], "s3cret") | {"X-Other": "kept"}
    async with access_stage(make_tokens(entry("web")), redaction=redaction) as stage:
        for path in ("/text", "/v1"):
            assert (await stage.ask("POST", path, headers, b"{}"))[0] == 200
        in_cluster = {"X-Request-ID": "id1", "X-Cortex-API-Name": "text", "X-Cortex-Queue-URL": stage.queue.sent[0][0]}
        assert (await stage.ask("POST", "/", headers | in_cluster, b"{}"))[0] == 200
        stored = [body for key, (body, _) in stage.store.objects.items() if key.endswith("/headers.json")]
        everything = b"".join(body for body, _ in stage.store.objects.values()) + str(stage.queue.sent).encode()
    assert len(stored) == 3
    for body in stored:
        assert json.loads(body)["X-Other"] == ["kept"]
    assert b"s3cret" not in everything
    assert b"Bearer" not in everything
    assert not {name.lower() for body in stored for name in json.loads(body)} & {one.lower() for one in CREDENTIALS}


@pytest.mark.parametrize("keeps_token", [True, False])
async def test_a_realtime_api_gets_the_token_only_if_it_is_let_through(keeps_token: bool) -> None:
    async with realtime(answer_ok, keeps_token=keeps_token) as stage:
        await stage.ask(
            b"GET /v1/hello HTTP/1.1\r\nHost: gate\r\nConnection: close\r\nAUTHORIZATION: Bearer s3cret\r\n"
            b"authorization: Bearer s3cret\r\nX-Other: kept\r\n\r\n"
        )
    assert (stage.seen[0].count(b"s3cret"), b"X-Other: kept" in stage.seen[0]) == (2 * keeps_token, True)
