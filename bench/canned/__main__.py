"""`python -m bench.canned CERTIFICATE KEY`: prints its ports as JSON, and serves until it is killed."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys

import uvloop

from bench.canned.container import Container
from bench.canned.control import Control
from bench.canned.http import Connection, Serve
from bench.canned.s3 import S3
from bench.canned.sqs import Sqs
from bench.canned.state import State


async def _listen(serve: Serve, tls: ssl.SSLContext | None) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: Connection(serve), "127.0.0.1", 0, ssl=tls, backlog=1024)


async def _main(certificate: str, key: str) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    state = State()
    sqs = Sqs(state)
    s3, container, control = S3(state), Container(state), Control(state, sqs)
    servers = {
        "sqs_http": await _listen(sqs.serve, None),
        "sqs_https": await _listen(sqs.serve, tls),
        "s3_http": await _listen(s3.serve, None),
        "s3_https": await _listen(s3.serve, tls),
        "container": await _listen(container.serve, None),
        "control": await _listen(control.serve, None),
    }
    ports = {name: server.sockets[0].getsockname()[1] for name, server in servers.items()}
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(*sys.argv[1:3]))
