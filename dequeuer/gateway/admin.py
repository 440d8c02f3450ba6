"""The admin server of the gateway: whether it serves, and its metrics."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack

import structlog

from dequeuer.core.drain import Drain
from dequeuer.core.errors import FatalError
from dequeuer.observability.admin import AdminServer
from dequeuer.settings import GatewaySettings
from dequeuer.settings.gateway import DEFAULT_ADMIN_PORT


class Admin:
    """The admin server.

    Where nobody chose its port, it has `DEFAULT_ADMIN_PORT`, or there is none if that is taken: several gateways may
    run on one machine, and what nobody asked for must stop none of them.

    Args:
        settings: addresses and port.
        render: returns the metrics. It must not block.
        drain: of the process.
    """

    def __init__(self, settings: GatewaySettings, render: Callable[[], bytes], drain: Drain) -> None:
        self._drain = drain
        self._is_serving = False
        self._is_chosen = settings.admin_port is not None
        self._is_own_port = not self._is_chosen and settings.port == DEFAULT_ADMIN_PORT
        self._fault = ""
        self._server = AdminServer(
            settings.admin_hosts,
            DEFAULT_ADMIN_PORT if settings.admin_port is None else settings.admin_port,
            render,
            is_ready=lambda: self._is_serving and not drain.requested,
            is_live=lambda: True,
            not_ready_reason=self._reason,
        )

    async def start(self, stack: AsyncExitStack) -> bool:
        """Listen until the end of `stack`. Return False: the port that was chosen cannot be had."""
        if self._is_own_port:
            self._fault = f"{DEFAULT_ADMIN_PORT} is the port of the gateway: choose one with DEQUEUER_ADMIN_PORT"
            return True
        try:
            await self._server.start()
        except FatalError as error:
            self._fault = str(error)
            if self._is_chosen:
                structlog.get_logger().error("cannot_go_on", error=self._fault)
            return not self._is_chosen
        stack.push_async_callback(self._server.stop)
        return True

    def serves(self) -> None:
        """Note that the gateway accepts requests. If there is no admin server, log that."""
        self._is_serving = True
        if self._fault:
            structlog.get_logger().warning("admin_server_missing", error=self._fault)

    def _reason(self) -> str:
        return "the gateway drains" if self._drain.requested else "the gateway does not accept requests yet"
