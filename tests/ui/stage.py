"""A page in front of a gateway, both in this process, and a browser that tests write by hand."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import yarl
from aiohttp import ClientSession, CookieJar, web

from dequeuer.client.gateway import open_gateway
from dequeuer.ui.application import Page, make_app, make_runner
from dequeuer.ui.directory import Directory
from dequeuer.ui.guard import Hosts, Login
from dequeuer.ui.link import GatewayLink
from dequeuer.ui.scraper import Scraper
from dequeuer.ui.static_files import load_static_files
from dequeuer.ui.watch import Watch

OWN = {"X-Dequeuer-UI": "1"}


@dataclass
class Answered:
    """What the page answers."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return str(self.json["error"]["message"])


class Browser:
    """Sends requests whose paths stay as they are."""

    def __init__(self, url: str, session: ClientSession) -> None:
        self.url = url
        self.session = session

    async def ask(self, method: str, path: str, data: bytes | None = None, **headers: str) -> Answered:
        """Send a request; `_` in the name of a header stands for `-`."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        url = yarl.URL(f"{self.url}{path}", encoded=True)
        async with self.session.request(method, url, data=data, headers=given, allow_redirects=False) as answer:
            return Answered(answer.status, answer.headers, await answer.read())

    async def get(self, path: str, **headers: str) -> Answered:
        return await self.ask("GET", path, None, **headers)

    async def change(self, method: str, path: str, data: bytes | None = None, **headers: str) -> Answered:
        """Send a request as the page does."""
        return await self.ask(method, path, data, **OWN, **headers)


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    """Serve an application; yield its address."""
    runner = make_runner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def page_of(
    gateway_url: str,
    *,
    token: str | None = None,
    gateway_token: str | None = None,
    hosts: Sequence[str] = ("127.0.0.1",),
    names: Sequence[str] = (),
) -> AsyncIterator[Browser]:
    """Serve the page of a gateway; yield a browser."""
    async with AsyncExitStack() as stack:
        link = GatewayLink(await stack.enter_async_context(open_gateway(gateway_url, gateway_token)))
        directory = Directory(link)
        watch = Watch(link, directory, Scraper(()))
        stack.push_async_callback(watch.close)
        page = Page(
            link=link,
            directory=directory,
            watch=watch,
            hosts=Hosts(hosts, names),
            login=Login(token),
            files=load_static_files(),
        )
        url = await stack.enter_async_context(served(make_app(page)))
        yield Browser(url, await stack.enter_async_context(ClientSession(cookie_jar=CookieJar(unsafe=True))))


@asynccontextmanager
async def page_before(gateway: web.Application, **more: Any) -> AsyncIterator[Browser]:
    """Serve the page of a gateway that is an application of this process."""
    async with served(gateway) as url, page_of(url, **more) as browser:
        yield browser
