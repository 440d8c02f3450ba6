"""Reads the metrics of gateway, sidecars and proxies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Final, Protocol, TypeAlias
from urllib.parse import urlsplit

from dequeuer.client.errors import ClientError
from dequeuer.client.gateway import Gateway, open_gateway
from dequeuer.concurrency.in_order import each, in_order
from dequeuer.settings.ui import MetricsAddress
from dequeuer.ui.readings import Reading, readings_of
from dequeuer.ui.scraping import samples_of

MAX_BYTES: Final = 4 << 20
TIMEOUT_S: Final = 2.0
MAX_AHEAD: Final = 8
"""Addresses that are read at the same time."""

ByAddress: TypeAlias = Mapping[str, Mapping[str, Reading]]


class Metrics(Protocol):
    """Reads metrics."""

    @property
    def faults(self) -> Sequence[str]:
        """Why some could not be read, at the last time."""

    async def read(self) -> ByAddress:
        """Return what each address says of each API. It raises nothing, and ends soon."""


class Scraper:
    """Reads all addresses. `faults`: why some could not be read, at the last time."""

    def __init__(self, addresses: Sequence[tuple[MetricsAddress, Gateway]]) -> None:
        self._addresses = addresses
        self.faults: Sequence[str] = ()

    async def read(self) -> ByAddress:
        """Return what each address says of each API; what cannot be read is a fault."""
        readings, faults = {}, []
        async with aclosing(in_order(each(self._addresses), _read, max_ahead=MAX_AHEAD)) as found:
            async for (address, _), read in found:
                if isinstance(read, str):
                    faults.append(f"no metrics of {address.api_name or 'the gateway'}: {read}")
                else:
                    readings[f"{address.api_name}={address.url}"] = read
        self.faults = faults
        return readings


@asynccontextmanager
async def open_scraper(addresses: Sequence[MetricsAddress]) -> AsyncIterator[Scraper]:
    """Open the connections to all addresses; they are closed with the context. No token is sent to them."""
    async with AsyncExitStack() as stack:
        opened = [(one, await stack.enter_async_context(open_gateway(_with_path(one.url)))) for one in addresses]
        yield Scraper(opened)


def _with_path(url: str) -> str:
    return f"{url.rstrip('/')}/metrics" if urlsplit(url).path in {"", "/"} else url


async def _read(one: tuple[MetricsAddress, Gateway]) -> Mapping[str, Reading] | str:
    address, server = one
    try:
        async with (
            asyncio.timeout(TIMEOUT_S),
            aclosing(await server.open("GET", "", {}, idle_timeout_s=TIMEOUT_S, resends=True)) as answer,
        ):
            text = (await answer.read(MAX_BYTES)).decode(errors="replace")
    except TimeoutError:
        return f"no answer within {TIMEOUT_S:g} s"
    except ClientError as error:
        return str(error)
    return readings_of(samples_of(text), address.api_name)
