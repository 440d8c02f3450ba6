"""What a message of the outbox means: one delivery for each receive, and what follows from the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from dequeuer import __version__
from dequeuer.core import clock
from dequeuer.core.errors import InvalidInputError, StoreDeniedError, StoreUnavailableError, clip
from dequeuer.core.events import Observer, WebhookAttempted, WebhookEnd, WebhookEnded, WebhookResult
from dequeuer.core.message import Done, Fence, Message, Outcome, Reject, Retry
from dequeuer.formats.receiver_rules import InvalidReceiverError, Receiver, ReceiverRules
from dequeuer.formats.retry_after import parse_retry_after
from dequeuer.formats.webhook_event import WebhookEvent, decode_event, webhook_body, webhook_id
from dequeuer.formats.webhook_signature import signatures
from dequeuer.webhooks.disabled import DisabledReceivers
from dequeuer.webhooks.hosts import HostTurns
from dequeuer.webhooks.schedule import DELAYS_S, next_pause_s
from dequeuer.webhooks.sending import Answer, DeliveryFailedError, Sender

GONE: Final = 410


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivering:
    """How webhooks are delivered.

    Attributes:
        cluster_uid: part of the ids of webhooks.
        results_url: of the gateway; None: bodies name no URL.
        max_age_s: how long a webhook is tried.
        rules: which receivers are allowed.
    """

    cluster_uid: str
    results_url: str | None
    max_age_s: float
    rules: ReceiverRules


class DeliveryHandler:
    """`Handler` of the messages of the outbox.

    Args:
        settings: how webhooks are delivered.
        sender: sends them.
        keys: returns the keys of the signatures; none: webhooks are not signed.
        disabled: receivers that get none.
        hosts: bounds the deliveries to each host.
        observer: gets each attempt and each end.
    """

    def __init__(  # noqa: PLR0913 - one parameter for each collaborator
        self,
        settings: Delivering,
        *,
        sender: Sender,
        keys: Callable[[], Sequence[bytes]],
        disabled: DisabledReceivers,
        hosts: HostTurns,
        observer: Observer,
    ) -> None:
        self._settings = settings
        self._sender = sender
        self._keys = keys
        self._disabled = disabled
        self._hosts = hosts
        self._observer = observer

    def needs_slot(self, _message: Message) -> bool:
        """Return True: slots bound the deliveries."""
        return True

    def ref(self, message: Message) -> str:
        """Return the id of the request; "" when the message is no webhook."""
        try:
            return decode_event(message.body).request_id
        except InvalidInputError:
            return ""

    async def handle(self, message: Message, fence: Fence) -> Outcome:
        """Deliver a webhook once."""
        try:
            event = decode_event(message.body)
        except InvalidInputError as error:
            return Reject(after_s=DELAYS_S[0], reason=str(error), poison=True)
        try:
            receiver = self._settings.rules.parse(event.url)
        except InvalidReceiverError as error:
            return self._ended(event, "not_allowed", f"the URL {error}")
        if await self._disabled.is_disabled(event):
            return self._ended(event, "disabled", "the receiver has answered 410 before")
        with self._hosts.turn(receiver.host) as has_room:
            if not has_room:
                # Released, not kept: the slots are for other hosts.
                after_s = self._hosts.pause_s(receiver.host)
                return Retry(after_s=after_s, reason="the host has as many deliveries as it may have at a time")
            fence.check()
            return await self._deliver(message, event, receiver)

    async def _deliver(self, message: Message, event: WebhookEvent, receiver: Receiver) -> Outcome:
        started = clock.monotonic()
        try:
            answer = await self._send(event, receiver)
        except InvalidReceiverError as error:
            self._attempted("not_allowed", started)
            # Not for good: the name may lead elsewhere again, and its answer may be a forged one.
            return self._again(message, event, f"the URL {error}")
        except DeliveryFailedError as error:
            self._attempted("no_answer", started)
            self._hosts.record(receiver.host, has_answered=False)
            return self._again(message, event, str(error))
        self._hosts.record(receiver.host, has_answered=True)
        if 200 <= answer.status < 300:
            self._attempted("delivered", started)
            return self._ended(event, "delivered", "")
        self._attempted("gone" if answer.status == GONE else "refused", started)
        if answer.status == GONE:
            return await self._gone(message, event)
        redirected = ": redirects are not followed" if 300 <= answer.status < 400 else ""
        after_s = parse_retry_after(answer.retry_after, now=clock.wall(), limit_s=DELAYS_S[-1])
        return self._again(message, event, f"the receiver has answered {answer.status}{redirected}", after_s)

    async def _send(self, event: WebhookEvent, receiver: Receiver) -> Answer:
        body = webhook_body(event, self._settings.results_url)
        name, timestamp = webhook_id(self._settings.cluster_uid, event), int(clock.wall())
        fields = [
            ("Content-Type", "application/json"),
            ("User-Agent", f"dequeuer-webhooks/{__version__}"),
            ("webhook-id", name),
            ("webhook-timestamp", str(timestamp)),
        ]
        if keys := self._keys():
            fields.append(("webhook-signature", signatures(keys, name, timestamp, body)))
        return await self._sender.send(receiver, fields, body)

    async def _gone(self, message: Message, event: WebhookEvent) -> Outcome:
        reason = "the receiver has answered 410: it gets no more webhooks"
        try:
            await self._disabled.disable(event)
        except (StoreUnavailableError, StoreDeniedError) as error:
            return self._again(message, event, f"{reason}, and that cannot be stored: {error}")
        return self._ended(event, "disabled", reason)

    def _again(self, message: Message, event: WebhookEvent, reason: str, retry_after_s: float | None = None) -> Outcome:
        pause_s = next_pause_s(
            message.receive_count,
            _age_s(event),
            max_age_s=self._settings.max_age_s,
            retry_after_s=retry_after_s,
        )
        if pause_s is None:
            return self._ended(event, "given_up", reason)
        return Retry(after_s=pause_s, reason=clip(reason))

    def _attempted(self, result: WebhookResult, started: float) -> None:
        self._observer(WebhookAttempted(result=result, duration_s=clock.monotonic() - started))

    def _ended(self, event: WebhookEvent, end: WebhookEnd, reason: str) -> Outcome:
        self._observer(
            WebhookEnded(
                api_name=event.api_name, request_id=event.request_id, end=end, reason=clip(reason), age_s=_age_s(event)
            )
        )
        return Done(state="completed" if end == "delivered" else "failed", reason=clip(reason))


def _age_s(event: WebhookEvent) -> float:
    # Of the end of the request, not of the message: it is the same when the message was sent twice.
    return max(0.0, clock.wall() - event.ended_at)
