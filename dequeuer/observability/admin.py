"""The admin server, for the kubelet and Prometheus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from ipaddress import ip_address
from types import MappingProxyType
from typing import Protocol

from aiohttp import web

from dequeuer.core.errors import FatalError, clip
from dequeuer.http.listening import addresses_text
from dequeuer.http.own_response import REASON_HEADER
from dequeuer.http.small_server import start_small_server

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The Content-Type of Prometheus' text format."""


class ActionRefusedError(Exception):
    """An action cannot be carried out now; its text is the response, with 503."""


class AdminServer:
    """Serves `/healthz` (ready to receive messages), `/livez` (the poller makes progress) and `/metrics`."""

    def __init__(  # noqa: PLR0913 - one callable for each value that is reported
        self,
        hosts: Sequence[str],
        port: int,
        metrics_render: Callable[[], bytes],
        is_ready: Callable[[], bool],
        is_live: Callable[[], bool],
        *,
        not_ready_reason: Callable[[], str] = lambda: "",
        actions: Mapping[str, Callable[[], Awaitable[str]]] = MappingProxyType({}),
        only_local: Collection[str] = (),
    ) -> None:
        """Prepare to listen on `port` of all `hosts`; port 0 selects a free port. The callables must not block.

        `not_ready_reason` returns one line for people, or "". Cortex fixed the body of the response, so the line is
        sent as a header. `actions` are further paths: a GET or POST of one awaits the call and responds with its text.
        An action may raise `ActionRefusedError`. Those in `only_local` are for callers inside of the pod.
        """
        self._hosts, self._listen_port = tuple(hosts), port
        self._render = metrics_render
        self._is_ready = is_ready
        self._is_live = is_live
        self._not_ready_reason = not_ready_reason
        self._actions = actions
        self._only_local = only_local
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port that the server listens on; before `start`, the port it was given."""
        addresses = self._runner.addresses if self._runner is not None else []
        return int(addresses[0][1]) if addresses else self._listen_port

    async def start(self) -> None:
        """Start listening. Raises `FatalError` when the address cannot be bound."""
        app = web.Application(client_max_size=1024)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/metrics", self._metrics)
        for path, action in self._actions.items():
            handler = responding(action, only_local=path in self._only_local)
            app.router.add_route("GET", path, handler)
            app.router.add_route("POST", path, handler)
        try:
            self._runner = await start_small_server(
                app, self._hosts, self._listen_port, log="dequeuer.observability.admin.http"
            )
        except (OSError, OverflowError) as error:
            message = (
                f"The admin server cannot listen on {clip(addresses_text(self._hosts, self._listen_port))} "
                f"({clip(str(error))}). Free that port, or choose another with DEQUEUER_ADMIN_PORT or --admin-port "
                "(1-65535), or other addresses with DEQUEUER_ADMIN_HOST."
            )
            raise FatalError(message) from error

    async def stop(self) -> None:
        """Stop listening and close every connection. Does nothing when the server is not running."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _healthz(self, _request: web.Request) -> web.Response:
        response = _response(self._is_ready(), "healthy", "unhealthy")
        if response.status != 200 and (reason := self._not_ready_reason()):
            response.headers[REASON_HEADER] = reason
        return response

    async def _livez(self, _request: web.Request) -> web.Response:
        return _response(self._is_live(), "alive", "stuck")

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._render(), headers={"Content-Type": CONTENT_TYPE})


class _Caller(Protocol):
    """The part of a request that says where it comes from."""

    @property
    def remote(self) -> str | None:
        """The address of the caller; None: not known."""


def responding(
    action: Callable[[], Awaitable[str]], *, only_local: bool
) -> Callable[[_Caller], Awaitable[web.Response]]:
    """Return what responds with the text of an action. `only_local`: callers from outside of the pod get 403."""

    async def respond(caller: _Caller) -> web.Response:
        if only_local and not _is_local(caller.remote):
            return web.Response(text="only for callers inside of the pod, at a loopback address\n", status=403)
        try:
            return web.Response(text=await action())
        except ActionRefusedError as error:
            return web.Response(text=str(error), status=503)

    return respond


def _is_local(address: str | None) -> bool:
    try:
        return address is not None and ip_address(address).is_loopback
    except ValueError:
        return False


def _response(is_good: bool, good: str, bad: str) -> web.Response:  # noqa: FBT001 - private
    return web.Response(text=good if is_good else bad, status=200 if is_good else 500)
