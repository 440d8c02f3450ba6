"""One delivery: a POST over a connection of its own, to an address that was checked. Redirects are not followed."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from dequeuer.formats.receiver_rules import InvalidReceiverError, Receiver, ReceiverRules
from dequeuer.http.errors import AddressRefusedError, HttpTransportError
from dequeuer.http.origin import Origin
from dequeuer.http.pool import Pool
from dequeuer.http.response import Response

MAX_BODY_BYTES: Final = 64 * 1024
"""Of the body of an answer, which nobody looks at: it is read so that the receiver sees no broken connection."""
BODY_TIMEOUT_S: Final = 1.0


class DeliveryFailedError(Exception):
    """There is no answer. The text quotes nothing of the URL but its host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a receiver has answered. `retry_after`: the field as sent; None: there is none."""

    status: int
    retry_after: str | None


class Sender(Protocol):
    """Sends webhooks."""

    async def send(self, receiver: Receiver, fields: Iterable[tuple[str, str]], body: bytes) -> Answer:
        """Send a POST. Nothing of `fields` may come from outside but what is visible ASCII.

        Raises:
            DeliveryFailedError: no whole head of an answer came in time.
            InvalidReceiverError: the name of the host leads to an address that is not allowed; nothing was sent.
        """


class HttpSender:
    """`Sender` over HTTP/1.1. It uses no proxy, stores no cookies, and keeps no connection.

    Args:
        rules: which addresses are allowed. Each delivery resolves the name once, checks all addresses, and connects to
            one of these: a name whose address changes between check and connection gains nothing.
        timeout_s: for a delivery, until the head of the answer.
    """

    def __init__(self, rules: ReceiverRules, timeout_s: float) -> None:
        self._rules = rules
        self._timeout_s = timeout_s
        self._tls = ssl.create_default_context()

    async def send(self, receiver: Receiver, fields: Iterable[tuple[str, str]], body: bytes) -> Answer:
        """Send a POST: see `Sender`."""
        origin = Origin(host=receiver.host, port=receiver.port, tls=self._tls if receiver.is_tls else None)
        lines = [
            f"POST {receiver.target} HTTP/1.1",
            f"Host: {origin.authority}",
            f"Content-Length: {len(body)}",
            "Connection: close",
            *(f"{name}: {value}" for name, value in fields),
        ]
        head = "".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii")
        pool = Pool(origin, idle_limit_s=0, connect_timeout_s=self._timeout_s, check_address=self._check_address)
        try:
            return await self._exchange(pool, head, body)
        except TimeoutError:
            raise DeliveryFailedError(f"no answer within {self._timeout_s:g} s") from None
        except AddressRefusedError as error:
            raise InvalidReceiverError(str(error)) from None
        except HttpTransportError as error:
            raise DeliveryFailedError(str(error)) from error
        finally:
            await pool.close()

    async def _exchange(self, pool: Pool, head: bytes, body: bytes) -> Answer:
        async with asyncio.timeout(self._timeout_s):
            response = await pool.stream((head, body), timeout_s=self._timeout_s)
        try:
            answer = Answer(status=response.status, retry_after=response.field("retry-after"))
            await _read_away(response)
        finally:
            pool.release(response)
        return answer

    def _check_address(self, address: str) -> None:
        try:
            self._rules.check_address(address)
        except InvalidReceiverError as error:
            raise AddressRefusedError(str(error)) from None


async def _read_away(response: Response) -> None:
    with suppress(HttpTransportError, TimeoutError):
        async with asyncio.timeout(BODY_TIMEOUT_S):
            await response.read(MAX_BODY_BYTES, BODY_TIMEOUT_S)
