"""Which receiver is told when a request has ended: the client names one at its submission, or the API has one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from dequeuer.core.message import WEBHOOK_ATTRIBUTE
from dequeuer.formats.receiver_rules import InvalidReceiverError, ReceiverRules
from dequeuer.gateway.problems import ProblemError

WEBHOOK_HEADER: Final = "X-Webhook-URL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """The receivers.

    Attributes:
        is_offered: whether the sidecars announce ends of requests. Otherwise a submission that names a receiver is
            refused: its client would wait for a webhook that never comes.
        rules: which receivers are allowed. Names are resolved at the delivery, and checked then.
        by_api: receivers of APIs, for submissions that name none.
    """

    is_offered: bool = False
    rules: ReceiverRules = field(default_factory=ReceiverRules)
    by_api: Mapping[str, str] = field(default_factory=dict)

    def attributes_of(self, request: web.Request, api_name: str) -> Mapping[str, str]:
        """Return the attributes of the message of a submission. Raises `ProblemError`."""
        named = request.headers.getall(WEBHOOK_HEADER, [])
        if not named:
            return {WEBHOOK_ATTRIBUTE: self.by_api[api_name]} if api_name in self.by_api else {}
        if not self.is_offered:
            raise _invalid("this gateway sends no webhooks: set DEQUEUER_WEBHOOK_QUEUE of the gateway")
        if len(named) > 1:
            raise _invalid(f"is there {len(named)} times: send it once")
        try:
            self.rules.parse(named[0])
        except InvalidReceiverError as error:
            raise _invalid(f"the URL {error}") from None
        return {WEBHOOK_ATTRIBUTE: named[0]}


def _invalid(text: str) -> ProblemError:
    return ProblemError(400, "invalid_webhook", f"{WEBHOOK_HEADER}: {text}")


NO_WEBHOOKS: Final = Webhooks()
