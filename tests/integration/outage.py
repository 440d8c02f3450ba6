"""A proxy between sidecar and cloud that a test can interrupt: AWS is unreachable, and keeps its state."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Self
from urllib.parse import urlsplit

from tests.integration.cloud import Cloud, Queue

READ_BYTES = 65_536


class Wire:
    """A TCP proxy on a loopback port, in a thread. While it is interrupted, it closes every new connection.

    A long poll that is cut may still take a message with it: it is visible again after its lease.
    """

    def __init__(self, cloud: Cloud) -> None:
        upstream = urlsplit(cloud.url)
        self._upstream = (upstream.hostname, upstream.port)
        self._cloud = cloud
        self._cut = threading.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="wire")
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listening.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    def settings(self, queue: Queue) -> dict[str, str]:
        """Return the settings with which a sidecar uses the proxy."""
        return {"AWS_ENDPOINT_URL": self.url, "DEQUEUER_QUEUE_URL": queue.url.replace(self._cloud.url, self.url)}

    def cut(self) -> None:
        """Break every connection, and refuse new ones from now on."""
        self._cut.set()
        self._loop.call_soon_threadsafe(self._hang_up)

    def mend(self) -> None:
        """Accept connections again."""
        self._cut.clear()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._listening.set()
        await self._stopped.wait()
        server.close()
        self._hang_up()
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def _hang_up(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._cut.is_set():
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(*self._upstream)
        both = {writer, far_writer}
        self._writers |= both
        if self._cut.is_set():
            self._hang_up()
        await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))
        self._writers -= both


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes on until the reader ends; then close the other side, too."""
    with contextlib.suppress(OSError):
        while chunk := await reader.read(READ_BYTES):
            writer.write(chunk)
            await writer.drain()
    writer.close()
