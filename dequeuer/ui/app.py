"""The composition root of `dequeuer ui`: builds every part, starts and stops them; the exit status."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from typing import Final

import structlog
from aiohttp import web

from dequeuer import __version__
from dequeuer.client.gateway import open_gateway
from dequeuer.client.token import read_token
from dequeuer.core.drain import Drain
from dequeuer.core.errors import clip, mask
from dequeuer.http.listening import addresses_text
from dequeuer.http.server import IdleLimit
from dequeuer.observability import logs
from dequeuer.process.running import run_to_status
from dequeuer.settings import UiSettings
from dequeuer.ui.application import Page, make_app, make_runner
from dequeuer.ui.directory import Directory
from dequeuer.ui.guard import Hosts, Login
from dequeuer.ui.link import GatewayLink
from dequeuer.ui.scraper import open_scraper
from dequeuer.ui.static_files import load_static_files
from dequeuer.ui.watch import Watch

EXIT_OK, EXIT_FAILED = 0, 1
MAX_IDLE_CONNECTIONS: Final = 100
STOP_TIMEOUT_S: Final = 5.0
"""How long requests in progress may continue after SIGTERM."""


def run_ui(settings: UiSettings) -> int:
    """Serve the page until SIGTERM or SIGINT; return the exit status.

    Raises:
        ConfigurationError: the file of a token cannot be read any more.
    """
    gateway_token, own_token = (
        None if path is None else read_token(path) for path in (settings.gateway_token_path, settings.token_path)
    )
    return run_to_status(_run(settings, gateway_token, own_token))


async def _run(settings: UiSettings, gateway_token: str | None, own_token: str | None) -> int:
    logs.configure(settings.log.level, settings.log.format)
    log = structlog.get_logger()
    drain = Drain()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, drain.request)
    async with AsyncExitStack() as stack:
        link = GatewayLink(await stack.enter_async_context(open_gateway(settings.gateway_url, gateway_token)))
        scraper = await stack.enter_async_context(open_scraper(settings.metrics))
        directory = Directory(link)
        watch = Watch(link, directory, scraper)
        stack.push_async_callback(watch.close)
        page = Page(
            link=link,
            directory=directory,
            watch=watch,
            hosts=Hosts(settings.hosts, settings.names),
            login=Login(own_token),
            files=load_static_files(),
        )
        app, limit = make_app(page), IdleLimit(MAX_IDLE_CONNECTIONS)
        limit.watch(app)
        runner = make_runner(app)
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        try:
            await limit.listen(runner, settings.hosts, settings.port)
        except OSError as error:
            addresses = addresses_text(settings.hosts, settings.port)
            log.error("ui_cannot_listen", addresses=addresses, error=clip(str(error)))  # noqa: TRY400 - no bug
            return EXIT_FAILED
        port = runner.addresses[0][1]
        log.info(
            "ui_started",
            version=__version__,
            url=f"http://{addresses_text(settings.hosts[:1], port)}/",
            gateway=mask(settings.gateway_url),
        )
        await drain.wait_requested()
        log.info("ui_draining")
        return await _stop(watch, limit, runner, drain)


async def _stop(watch: Watch, limit: IdleLimit, runner: web.AppRunner, drain: Drain) -> int:
    """End the streams, let other requests end, and accept no new ones. A second signal skips the wait."""

    async def stop() -> None:
        await watch.close()
        await limit.drain(runner, STOP_TIMEOUT_S)

    stopping = asyncio.create_task(stop(), name="ui-stop")
    forced = asyncio.create_task(drain.wait_forced(), name="ui-forced")
    await asyncio.wait({stopping, forced}, return_when=asyncio.FIRST_COMPLETED)
    for task in (stopping, forced):
        task.cancel()
    await asyncio.wait({stopping, forced})
    return EXIT_FAILED if drain.is_forced else EXIT_OK
