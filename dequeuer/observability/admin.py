"""The admin server: what the kubelet and Prometheus ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aiohttp import web

from dequeuer.core.errors import FatalError, clip
from dequeuer.http.listening import addresses_text
from dequeuer.http.server import IdleLimit, server_log

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""That of Prometheus' text format."""
SHUTDOWN_S = 0.5
"""How long an answer that is under way may take when the server stops."""
REASON_HEADER = "X-Dequeuer-Reason"
"""Of a `/healthz` that is not healthy."""
KEEPALIVE_S = 75.0
"""Longer than the usual period of a scrape, so that its connection is used again."""
MAX_HEAD_BYTES = 4096
"""Of a request line and of a header field; nobody with a reason to ask needs more."""

MAX_FIELDS = 64
MAX_IDLE = 64
"""Connections that wait for a request: the kubelet and a few scrapers; the port is open to the whole cluster."""


class AdminServer:
    """Serves `/healthz` (the readiness gate), `/livez` (the process does its work) and `/metrics`."""

    def __init__(  # noqa: PLR0913 - one callable for each thing that is told
        self,
        hosts: Sequence[str],
        port: int,
        metrics_render: Callable[[], bytes],
        is_ready: Callable[[], bool],
        is_live: Callable[[], bool],
        *,
        why_not_ready: Callable[[], str] = lambda: "",
    ) -> None:
        """Listen on `port` of all `hosts` once started; port 0 takes a free one. The callables must return at once.

        `why_not_ready`: one line for a person, "" when nothing is to be told. The body of the answer is Cortex's, so
        the line is a header of it.
        """
        self._hosts, self._listen_port = tuple(hosts), port
        self._render = metrics_render
        self._is_ready = is_ready
        self._is_live = is_live
        self._why_not_ready = why_not_ready
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port that it listens on; before the start, the one it was given."""
        addresses = self._runner.addresses if self._runner is not None else []
        return int(addresses[0][1]) if addresses else self._listen_port

    async def start(self) -> None:
        """Begin to listen. Raises `FatalError` when the address cannot be had."""
        app = web.Application(client_max_size=1024)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/metrics", self._metrics)
        limit = IdleLimit(MAX_IDLE)
        limit.watch(app)
        runner = web.AppRunner(
            app,
            access_log=None,
            logger=server_log("dequeuer.observability.admin.http"),
            auto_decompress=False,  # no body is read
            shutdown_timeout=SHUTDOWN_S,
            keepalive_timeout=KEEPALIVE_S,
            max_line_size=MAX_HEAD_BYTES,
            max_field_size=MAX_HEAD_BYTES,
            max_headers=MAX_FIELDS,
        )
        await runner.setup()
        try:
            await limit.listen(runner, self._hosts, self._listen_port)
        except (OSError, OverflowError) as error:
            await runner.cleanup()
            message = (
                f"The admin server cannot listen on {clip(addresses_text(self._hosts, self._listen_port))} "
                f"({clip(str(error))}). Free that port, or choose another with DEQUEUER_ADMIN_PORT or --admin-port "
                "(1-65535), or other addresses with DEQUEUER_ADMIN_HOST."
            )
            raise FatalError(message) from error
        except BaseException:  # cancelled, for one: it must not keep listening
            await runner.cleanup()
            raise
        self._runner = runner

    async def stop(self) -> None:
        """Stop listening and close every connection; does nothing when it is not running."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _healthz(self, _request: web.Request) -> web.Response:
        answer = _answer(self._is_ready(), "healthy", "unhealthy")
        if answer.status != 200 and (reason := self._why_not_ready()):
            answer.headers[REASON_HEADER] = reason
        return answer

    async def _livez(self, _request: web.Request) -> web.Response:
        return _answer(self._is_live(), "alive", "stuck")

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._render(), headers={"Content-Type": CONTENT_TYPE})


def _answer(good: bool, yes: str, no: str) -> web.Response:  # noqa: FBT001 - private, and the names say it
    return web.Response(text=yes if good else no, status=200 if good else 500)
