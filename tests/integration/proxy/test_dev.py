"""`dequeuer dev` for realtime APIs: gateway, proxies and containers as processes."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from urllib.request import urlopen

import aiohttp
import pytest

from tests.integration.jobs.dev import Dev, run_apis

CONTAINER = """
import os, sys, urllib.request
from aiohttp import web

async def name(request):
    return web.json_response({"me": sys.argv[1], "path": request.raw_path})

async def chain(request):
    address = "%s:%s" % (os.environ["API_OTHER_API_SERVICE_HOST"], os.environ["API_OTHER_API_SERVICE_PORT"])
    if request.query_string == "by-name" and "CORTEX_ROOT" not in os.environ:  # it has a root of its own
        address = "api-other-api:8888"
    url = "http://" + address + "/from/a%2Fb"
    return web.Response(body=urllib.request.urlopen(url).read())

async def echo(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data)
    return socket

app = web.Application()
app.router.add_get("/chain", chain)
app.router.add_get("/ws", echo)
app.router.add_route("*", "/{path:.*}", name)
web.run_app(app, host="127.0.0.1", port=int(os.environ["CORTEX_PORT"]), print=None)
"""
APIS = """
- name: hello
  kind: RealtimeAPI
  networking: {{endpoint: /v1/hello}}
  pod:
    max_concurrency: 8
    containers: [{{name: api, image: i, command: [{python}, main.py, hello]}}]
- name: other-api
  kind: RealtimeAPI
  pod:
    containers:
      - {{name: api, image: i, command: [{python}, main.py, other], readiness_probe: {{http_get: {{path: /x, port: 8080}}}}}}
"""


def write(folder: Path) -> Path:
    (folder / "main.py").write_text(CONTAINER)
    path = folder / "cortex.yaml"
    path.write_text(APIS.format(python=sys.executable))
    return path


def test_realtime_apis_of_a_file_are_served_and_call_each_other(tmp_path: Path) -> None:
    with run_apis(write(tmp_path)) as dev:
        dev.wait_ready()
        dev.wait_line(rf"^  RealtimeAPI  hello      http://127.0.0.1:{dev.port}/v1/hello$")
        assert dev.call("/v1/hello/a%2Fb?c") == {"me": "hello", "path": "/a%2Fb?c"}
        assert dev.call("/other-api") == {"me": "other", "path": "/"}
        for chain in ("/v1/hello/chain", "/v1/hello/chain?by-name"):
            assert dev.call(chain) == {"me": "other", "path": "/from/a%2Fb"}
        asyncio.run(talk(f"ws://127.0.0.1:{dev.port}/v1/hello/ws"))
        dev.send(signal.SIGINT)
        assert dev.wait() == 0
        assert not dev.processes()


async def talk(url: str) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        for text in ("a", "b" * 100_000):
            await socket.send_str(text)
            assert await socket.receive_str() == text


def test_an_open_websocket_does_not_hold_the_end_up(tmp_path: Path) -> None:
    async def open_and_stop(dev: Dev) -> int | None:
        url = f"ws://127.0.0.1:{dev.port}/v1/hello/ws"
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
            await socket.send_str("a")
            assert await socket.receive_str() == "a"
            dev.send(signal.SIGINT)
            await socket.receive()
            return socket.close_code

    with run_apis(write(tmp_path)) as dev:
        dev.wait_ready()
        assert asyncio.run(open_and_stop(dev)) == 1001  # it is told that the server goes away
        assert dev.wait() == 0
        assert not dev.processes()


def test_samples_of_a_realtime_api_come_back(tmp_path: Path) -> None:
    with Dev(["--kind", "realtime", "--once"], tmp_path) as dev:
        assert dev.wait() == 0, dev.lines
        assert f"ready: http://127.0.0.1:{dev.port}/sample" in dev.lines
        assert "5 of 5 samples came back" in dev.lines
        assert not dev.processes()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_it_ends(tmp_path: Path, number: signal.Signals) -> None:
    with run_apis(write(tmp_path)) as dev:
        dev.wait_ready()
        stream = urlopen(f"http://127.0.0.1:{dev.port}/v1/hello")
        stream.read()
        dev.send(number)
        dev.wait()
        dev.wait_gone()
