"""Asks the gateway for the page, within bounds. The page never sees the token, and chooses no path."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from types import MappingProxyType
from typing import Any, Final, Protocol

from dequeuer.client.answers import Answer, whole_within
from dequeuer.client.errors import AnswerTooLargeError, InvalidAnswerError
from dequeuer.client.gateway import Content, Gateway
from dequeuer.formats.go_json import decode

MAX_DOCUMENT_BYTES: Final = 8 << 20
IDLE_TIMEOUT_S: Final = 60.0
"""The gateway takes up to 30 s for a list or a redrive."""
TIMEOUT_S: Final = 120.0
"""For a whole answer."""
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Asks(Protocol):
    """Asks the gateway. Every method raises the errors of `client.errors`."""

    async def fields(self, path: str, query: Mapping[str, str] = ..., /) -> dict[str, Any]:
        """Return the object that the gateway answers with."""

    async def read_with_link(self, method: str, path: str, query: Mapping[str, str] = ..., /) -> tuple[bytes, str]:
        """Return the JSON text that the gateway answers with, and its header `Link`."""


class GatewayLink:
    """Every method raises the errors of `client.errors`. Paths are made of parts that were checked."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    @asynccontextmanager
    async def open(
        self, method: str, path: str, query: Mapping[str, str] = _NOTHING, content: Content | None = None
    ) -> AsyncIterator[Answer]:
        """Send a request; the answer is no error. It is closed with the context."""
        answer = await self.gateway.open(method, path, query, idle_timeout_s=IDLE_TIMEOUT_S, body=content, resends=True)
        async with aclosing(answer):
            yield answer

    async def read(
        self, method: str, path: str, query: Mapping[str, str] = _NOTHING, content: Content | None = None
    ) -> bytes:
        """Return the JSON text that the gateway answers with."""
        return (await self.read_with_link(method, path, query, content))[0]

    async def read_with_link(
        self, method: str, path: str, query: Mapping[str, str] = _NOTHING, content: Content | None = None
    ) -> tuple[bytes, str]:
        """Return the JSON text that the gateway answers with, and its header `Link`."""
        try:
            async with whole_within(TIMEOUT_S), self.open(method, path, query, content) as answer:
                return await answer.read(MAX_DOCUMENT_BYTES), answer.field("Link")
        except AnswerTooLargeError:
            text = f"the answer of the gateway is larger than {MAX_DOCUMENT_BYTES >> 20} MiB: ask the gateway itself"
            raise AnswerTooLargeError(f"{text}, {method} {path}") from None

    async def fields(self, path: str, query: Mapping[str, str] = _NOTHING) -> dict[str, Any]:
        """Return the object that the gateway answers with."""
        value = json_value(await self.read("GET", path, query))
        if not isinstance(value, dict):
            raise InvalidAnswerError("the gateway does not answer with an object")
        return value


def json_value(body: bytes) -> Any:
    """Return a value of JSON whose numbers keep their text. Raises `InvalidAnswerError`."""
    try:
        return decode(body.decode())
    except ValueError:
        raise InvalidAnswerError("the gateway does not answer with JSON") from None
