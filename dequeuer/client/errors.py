"""Errors of calls to the gateway, named for what the caller does next.

Hazard: their texts hold text of the server. Whoever shows one in a terminal makes it visible first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dequeuer.core.errors import DequeuerError


@dataclass(frozen=True, slots=True)
class RefusedFault:
    """What the gateway says is wrong: a code for programs and a text for people."""

    kind: str
    message: str


class ClientError(DequeuerError):
    """Base of all errors of calls to a gateway."""


class GatewayUnavailableError(ClientError):
    """The gateway cannot be used for now: try again.

    `retry_after_s`: the time that it asks for; None: it asks for none.
    """

    def __init__(self, text: str, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class GatewayAbsentError(GatewayUnavailableError):
    """No connection could be made. Nothing was sent, and perhaps the address is wrong."""


class UntrustedGatewayError(GatewayAbsentError):
    """The certificate of the server is not one that this machine trusts. Nothing was sent."""


class GatewayBusyError(GatewayUnavailableError):
    """The gateway answered that it cannot do this now, and has not done it."""


class TooManyRequestsError(GatewayBusyError):
    """The caller sends more than it may. Nothing of the request was kept, so also a submission may be sent again."""


class GatewayLostError(GatewayUnavailableError):
    """The connection broke, here or behind a load balancer, or no answer came in time.

    The gateway may have done what it was asked for.
    """


class RequestRefusedError(ClientError):
    """The gateway refuses the request; the same one will be refused again.

    Attributes:
        status: of HTTP.
        faults: at least one.
    """

    def __init__(self, status: int, faults: Sequence[RefusedFault]) -> None:
        super().__init__(faults[0].message)
        self.status = status
        self.faults = tuple(faults)


class InvalidAnswerError(ClientError):
    """What answers is no gateway, or one that this client does not understand."""


class AnswerTooLargeError(InvalidAnswerError):
    """The answer has more bytes than this client reads."""
