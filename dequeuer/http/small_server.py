"""A server for a few clients inside of the pod and the cluster: its bounds, and its start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from dequeuer.http.server import IdleLimit, server_log

SHUTDOWN_TIMEOUT_S: Final = 0.5
"""How long a response in progress may still take when the server stops."""
KEEPALIVE_TIMEOUT_S: Final = 75.0
"""Longer than the usual scrape interval, so that Prometheus reuses its connection."""
MAX_HEADER_LINE_BYTES: Final = 4096
"""For the request line and for each header; legitimate clients send less."""
MAX_HEADER_FIELDS: Final = 64
MAX_IDLE_CONNECTIONS: Final = 64
"""Connections that wait for a request. The kubelet and a few scrapers need few; the whole cluster can connect."""


async def start_small_server(app: web.Application, hosts: Sequence[str], port: int, *, log: str) -> web.AppRunner:
    """Serve until the clean-up of the returned runner. Nothing stays open when this raises.

    Args:
        app: the routes.
        hosts: to listen on, all of them.
        port: of all hosts; 0: a free one.
        log: the name of the logger of bugs.

    Raises:
        OSError, OverflowError: an address cannot be bound.
    """
    limit = IdleLimit(MAX_IDLE_CONNECTIONS)
    limit.watch(app)
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=server_log(log),
        auto_decompress=False,  # a small body could become a large one
        shutdown_timeout=SHUTDOWN_TIMEOUT_S,
        keepalive_timeout=KEEPALIVE_TIMEOUT_S,
        max_line_size=MAX_HEADER_LINE_BYTES,
        max_field_size=MAX_HEADER_LINE_BYTES,
        max_headers=MAX_HEADER_FIELDS,
    )
    await runner.setup()
    try:
        await limit.listen(runner, hosts, port)
    except BaseException:  # cancellation, too: the socket must not stay open
        await runner.cleanup()
        raise
    return runner
