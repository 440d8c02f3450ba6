"""Parts for tests of deliveries: receivers that answer from a script, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from dequeuer.core import clock
from dequeuer.core.message import Message
from dequeuer.formats.receiver_rules import Receiver, ReceiverRules
from dequeuer.formats.webhook_event import WebhookEvent, encode_event
from dequeuer.webhooks.delivery import Delivering, DeliveryHandler
from dequeuer.webhooks.disabled import DisabledReceivers
from dequeuer.webhooks.hosts import HostTurns
from dequeuer.webhooks.sending import Answer
from tests.fakes import MemoryStore, Recorder

URL = "https://example.com/hook"
KEY = b"k" * 32
DAY_S = 86_400.0


@dataclass
class Sent:
    """One delivery, as the receiver got it."""

    at: float
    receiver: Receiver
    fields: dict[str, str]
    body: bytes


@dataclass
class ScriptedSender:
    """`Sender` that gives the answers in turn; the last one is repeated. An exception is raised."""

    answers: list[Answer | Exception] = field(default_factory=lambda: [Answer(status=204, retry_after=None)])
    sent: list[Sent] = field(default_factory=list)
    takes_s: float = 0.0

    async def send(self, receiver: Receiver, fields: Iterable[tuple[str, str]], body: bytes) -> Answer:
        self.sent.append(Sent(asyncio.get_running_loop().time(), receiver, dict(fields), body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await asyncio.sleep(self.takes_s)
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class Stage:
    """A handler of deliveries and what is around it."""

    sender: ScriptedSender = field(default_factory=ScriptedSender)
    store: MemoryStore = field(default_factory=MemoryStore)
    seen: Recorder = field(default_factory=Recorder)
    keys: tuple[bytes, ...] = (KEY,)
    per_host: int = 2
    max_age_s: float = 3 * DAY_S

    def handler(self) -> DeliveryHandler:
        """Return a handler, as a process that was just started has it."""
        return DeliveryHandler(
            Delivering(cluster_uid="uid", results_url=None, max_age_s=self.max_age_s, rules=ReceiverRules()),
            sender=self.sender,
            keys=lambda: self.keys,
            disabled=DisabledReceivers(self.store, "uid"),
            hosts=HostTurns(self.per_host),
            observer=self.seen,
        )


def make_event(request_id: str = "r1", url: str = URL, age_s: float = 0.0) -> WebhookEvent:
    """Return an event of this age."""
    return WebhookEvent(
        url=url, api_name="api", request_id=request_id, status="completed", ended_at=clock.wall() - age_s
    )


def message_of(event: WebhookEvent, receive_count: int = 1) -> Message:
    """Return the message of an event."""
    return Message(
        id=f"m-{event.request_id}",
        body=encode_event(event),
        receive_count=receive_count,
        sent_at=event.ended_at,
        attributes={},
    )
