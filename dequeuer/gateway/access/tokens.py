"""The tokens that count now. The file is read again while the gateway runs: Kubernetes changes secrets in place."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog

from dequeuer.core.errors import ConfigurationError, clip
from dequeuer.gateway.access.caller import Caller
from dequeuer.gateway.access.token_file import parse_callers, read_tokens

RELOAD_INTERVAL_S: Final = 5.0
MAX_TOKEN_CHARS: Final = 512
# RFC 6750, section 2.1. The name of a scheme is written in any case.
_BEARER: Final = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*)")


class Tokens:
    """The callers of a file.

    Args:
        path: of the file.
        callers: what it holds now; see `load_callers`.
    """

    def __init__(self, path: str, callers: Sequence[Caller]) -> None:
        self._path = path
        self._callers = tuple(callers)
        self._data: bytes | None = None
        self._fault = ""
        self._log = structlog.get_logger()

    def find(self, fields: Sequence[str]) -> Caller | None:
        """Return whose token it is; None: nobody's, or there is not exactly one.

        `fields`: the values of `Authorization`.
        """
        if len(fields) != 1 or len(fields[0]) > MAX_TOKEN_CHARS:
            return None
        match = _BEARER.fullmatch(fields[0])
        if match is None:
            return None
        given = hashlib.sha256(match[1].encode()).digest()
        found = None
        # Every hash is compared, each in the same time: how long it takes says nothing about them.
        for caller in self._callers:
            for digest in caller.digests:
                if hmac.compare_digest(given, digest):
                    found = caller
        return found

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Read the file again and again while the context runs."""
        task = asyncio.create_task(self._follow(), name="gateway-tokens")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(RELOAD_INTERVAL_S)
            try:
                await self.reload()
            except Exception:  # noqa: BLE001 - a bug must not end the reading: no token could be withdrawn
                self._log.exception("tokens_error")

    async def reload(self) -> None:
        """Read the file once more. A version with faults is logged once, and the one before it goes on."""
        try:
            data = await asyncio.to_thread(read_tokens, self._path)
            if data == self._data:
                return
            callers = await asyncio.to_thread(parse_callers, data, self._path)
        except ConfigurationError as error:
            self._keep(error)
            return
        is_new = callers != self._callers
        self._data, self._callers = data, callers
        if self._fault or is_new:
            self._fault = ""
            self._log.info("tokens_reloaded", callers=len(callers))

    def _keep(self, error: ConfigurationError) -> None:
        self._data = None
        if str(error) != self._fault:
            self._fault = str(error)
            self._log.error("tokens_not_reloaded", faults=len(error.faults), first=clip(error.faults[0]))
