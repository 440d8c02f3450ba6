"""The APIs of a gateway, as Cortex's operator told them."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any, Final

from dequeuer.client.answers import whole_within
from dequeuer.client.errors import InvalidAnswerError
from dequeuer.client.gateway import Gateway
from dequeuer.core.errors import clip
from dequeuer.formats.api_name import is_api_name

MAX_LIST_BYTES: Final = 32 << 20
IDLE_TIMEOUT_S: Final = 90.0
"""The gateway takes up to a minute for the jobs of all APIs."""
TIMEOUT_S: Final = 180.0
VERIFY_TIMEOUT_S: Final = 20.0
MAX_VERIFY_BYTES: Final = 64 * 1024


class Apis:
    """Asks which APIs there are. Every method raises the errors of `client.errors`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def verify(self) -> None:
        """Ask whether this is an operator. Raises `InvalidAnswerError` when it is none."""
        if not isinstance(await self._json("/verifycortex", VERIFY_TIMEOUT_S, MAX_VERIFY_BYTES), dict):
            raise InvalidAnswerError("what answers is no gateway")

    async def all(self) -> list[dict[str, Any]]:
        """Return all APIs that the caller may see, each with its `metadata`."""
        return await self._apis("/get")

    async def show(self, name: str) -> list[dict[str, Any]]:
        """Return a list of one API. Raises `ValueError` for a text that is no name: it would become part of a path."""
        if not is_api_name(name):
            raise ValueError(f'"{clip(name)}" is not the name of an API')
        found = await self._apis(f"/get/{name}")
        if not found:
            raise InvalidAnswerError("the gateway answers without the API")
        return found

    async def _apis(self, path: str) -> list[dict[str, Any]]:
        found = await self._json(path, TIMEOUT_S, MAX_LIST_BYTES)
        are_apis = isinstance(found, list) and all(
            isinstance(one, dict) and isinstance(one.get("metadata"), dict) for one in found
        )
        if not are_apis:
            raise InvalidAnswerError("the gateway does not answer with APIs: has it the routes of Cortex's operator?")
        apis: list[dict[str, Any]] = found
        return apis

    async def _json(self, path: str, timeout_s: float, max_bytes: int) -> Any:
        async with (
            whole_within(timeout_s),
            aclosing(await self._gateway.open("GET", path, {}, idle_timeout_s=IDLE_TIMEOUT_S)) as answer,
        ):
            return await answer.json(max_bytes)
