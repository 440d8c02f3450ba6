"""What an attack could have done: written outside its prefix, or put a secret into the log."""

from __future__ import annotations

import contextlib
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import structlog

from dequeuer.core.drain import Drain
from dequeuer.core.events import Event, Settled
from dequeuer.core.message import Message, Outcome
from dequeuer.handlers.async_api.handler import AsyncHandler
from dequeuer.handlers.async_api.result import ResultWriter
from dequeuer.handlers.base import Target
from dequeuer.handlers.response_policy import ResponsePolicy
from dequeuer.observability.logs import configure, sidecar_event_log
from dequeuer.sinks.base import Check, unchecked
from tests.fakes import MemoryStore, OpenFence, Recorder, make_message

CANARY = "canary-7f3a"
"""Used as a secret in headers, payloads and responses."""
POLICY = ResponsePolicy(max_attempts=5, retry_statuses=frozenset({429, 503}))
PREFIX = "uid/workloads/api/"
REQUEST = f"{PREFIX}request-1/"


class Discard(MemoryStore):
    """A store that keeps only the size of a streamed object."""

    async def put_stream(
        self,
        key: str,
        body: AsyncIterator[bytes],
        content_type: str,
        *,
        size: int | None = None,
        check: Check = unchecked,
    ) -> bool:
        size = 0
        async for chunk in body:
            size += len(chunk)
        await self.put(key, b"%d" % size, content_type)
        return True


def submitted(payload: bytes = CANARY.encode()) -> Discard:
    """Return a store with one request; all its values are secrets."""
    store = Discard()
    headers = json.dumps({"Authorization": [CANARY], "X-Twice": [CANARY, CANARY]}).encode()
    store.seed([(f"{REQUEST}payload", payload), (f"{REQUEST}headers.json", headers)], "text/plain")
    return store


def async_handler(store: MemoryStore, target: Target, max_bytes: int = 2**24) -> AsyncHandler:
    """Return the real handler."""
    return AsyncHandler(
        cluster_uid="uid",
        api_name="api",
        store=store,
        deletions=store,
        target=target,
        results=ResultWriter(max_bytes),
        policy=POLICY,
        drain=Drain(),
        observer=Recorder(),
    )


async def work(handler: AsyncHandler, message: Message | None = None) -> Outcome:
    """Handle a message, and log its settlement as the worker does."""
    message = message or make_message("request-1")
    outcome = await handler.handle(message, OpenFence())
    log(settled(message, outcome, handler.ref(message)))
    return outcome


def settled(message: Message, outcome: Outcome, ref: str) -> Settled:
    """Return the event that follows an outcome."""
    return Settled(
        message_id=message.id,
        ref=ref,
        settlement=getattr(outcome, "state", "retried"),
        reason=outcome.reason,
        held_s=0.0,
        receive_count=message.receive_count,
    )


def log(event: Event) -> None:
    """Write the line about an event."""
    sidecar_event_log("api")(event)


def keys_outside(store: MemoryStore, prefix: str = REQUEST) -> list[str]:
    """Return every key that was written or deleted outside the request's own prefix."""
    return [key for _, key in store.journal if not key.startswith(prefix) or "/../" in key]


@contextlib.contextmanager
def captured() -> Iterator[io.StringIO]:
    """Set up the real logging and yield its output."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        configure("debug", "json")
        try:
            yield out
        finally:
            root.handlers[:] = handlers
            root.setLevel(level)
            logging.captureWarnings(False)
            structlog.reset_defaults()


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    """Return what was logged; every line must be JSON."""
    return [json.loads(line) for line in out.getvalue().splitlines()]
