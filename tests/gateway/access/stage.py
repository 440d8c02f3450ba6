"""A gateway with tokens: an async API, one with an endpoint, one with jobs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import yarl
from aiohttp import ClientSession, web

from dequeuer.gateway.access.caller import Rate
from dequeuer.gateway.access.gate import Access
from dequeuer.gateway.access.redaction import NOTHING_REDACTED, Redaction
from dequeuer.gateway.access.token_file import parse_callers
from dequeuer.gateway.access.tokens import Tokens
from dequeuer.gateway.application import make_app
from dequeuer.gateway.dead_letters import DeadLetterQueues
from dequeuer.gateway.endpoints import Endpoint, Endpoints
from dequeuer.gateway.queue_counts import QueueCounter
from tests.gateway.dead_letters import FakeSqs, translate
from tests.gateway.fakes import URL, FakeQueue, Store, make_gateway, serving
from tests.gateway.jobs import APIS, JobStage

QUEUES = {"text": URL, "other": URL, "v1": URL, "deep": URL}
ENDPOINTS = Endpoints(
    [
        # The endpoint of one API is the name of another: the endpoint wins.
        Endpoint(api_name="text", kind="AsyncAPI", path="/v1"),
        Endpoint(api_name="deep", kind="AsyncAPI", path="/v1/deep"),
        *(Endpoint(api_name=api.name, kind=api.kind, path=api.endpoint, job_api=api) for api in APIS),
    ]
)


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def entry(
    token: str, apis: Sequence[str] = ("*",), may: Sequence[str] = ("submit", "read", "control"), **more: Any
) -> dict[str, Any]:
    return {"name": token, "sha256": hash_of(token), "apis": list(apis), "may": list(may), **more}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def make_tokens(*entries: Mapping[str, Any]) -> Tokens:
    return Tokens("tokens.yaml", parse_callers(json.dumps(entries).encode(), "tokens.yaml"))


@dataclass
class Stage:
    """The gateway, and a client of it."""

    http: ClientSession
    store: Store
    queue: FakeQueue

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, data: bytes | None = None
    ) -> tuple[int, Mapping[str, str], str]:
        """Send a request whose path stays as it is."""
        url = yarl.URL(f"{str(self.http._base_url).rstrip('/')}{path}", encoded=True)
        async with ClientSession() as client, client.request(method, url, headers=headers, data=data) as answer:
            return answer.status, answer.headers, await answer.text()


def make_stage_app(store: Store, queue: FakeQueue, tokens: Tokens | None, **more: Any) -> web.Application:
    rate: Rate | None = more.get("rate")
    redaction: Redaction = more.get("redaction", NOTHING_REDACTED)
    access = Access(tokens=tokens, rate=rate, is_audited=more.get("is_audited", False))
    return make_app(
        make_gateway(store, queue),
        QUEUES,
        endpoints=ENDPOINTS,
        jobs=JobStage().jobs(),
        dead_letters=DeadLetterQueues(FakeSqs(policy="", url=URL), translate),
        queue_counter=QueueCounter(FakeSqs(policy="", url=URL), translate),
        access=access,
        redaction=redaction,
        cors_origins=more.get("cors_origins"),
        fair_queues=more.get("fair_queues", False),
    )


@asynccontextmanager
async def access_stage(tokens: Tokens | None, **more: Any) -> AsyncIterator[Stage]:
    store = Store()
    queue = FakeQueue(store)
    async with serving(make_stage_app(store, queue, tokens, **more)) as http:
        yield Stage(http=http, store=store, queue=queue)
