"""The network of a pod: a network namespace with loopback and the address of the pod, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from typing import Any, Final, Self, TypeVar

from tests.namespaces import why_not

T = TypeVar("T")

CLONE_NEWNET: Final = 0x4000_0000
SIOCSIFFLAGS, SIOCSIFADDR, IFF_UP = 0x8914, 0x8916, 1
READ_BYTES: Final = 65_536
CALL_TIMEOUT_S: Final = 60.0
NETWORK_OF_THREAD: Final = "/proc/thread-self/ns/net"


def why_no_pods() -> str:
    """Return why no pods can be run on this machine; "" when they can."""
    reason = why_not("--net", "--mount")
    if not reason and os.geteuid() != 0:
        reason = "this user may create namespaces, but not the process of the tests: only root"
    return reason and f"pods need network and mount namespaces, so root's rights: {reason}"


class PodNetwork:
    """A thread with an event loop, inside of a new network namespace: everything that its tasks start or open is in it.

    Args:
        ip: a second address of its loopback interface.
        forwards: ports of 127.0.0.1 outside that are reached at the same ports of 127.0.0.1 inside.
    """

    def __init__(self, ip: str, forwards: Sequence[int]) -> None:
        self.ip = ip
        self._forwards = forwards
        self._started = threading.Event()
        self._failure: Exception | None = None
        self._relays: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name=f"pod-network-{ip}")

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(CALL_TIMEOUT_S), "the network of the pod did not start"
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def call(self, coroutine: Coroutine[Any, Any, T], timeout_s: float = CALL_TIMEOUT_S) -> T:
        """Run a coroutine inside, from another thread; return its result."""
        return self.submit(coroutine).result(timeout_s)

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin to run a coroutine inside, from another thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def post(self, function: Callable[[], object]) -> None:
        """Call a function inside, from another thread, without waiting for it."""
        self._loop.call_soon_threadsafe(function)

    def _run(self) -> None:
        try:
            # A thread may leave the network of its process. A mount namespace it could not have for itself.
            outside = os.open(NETWORK_OF_THREAD, os.O_RDONLY)
            _call("unshare", CLONE_NEWNET)
            inside = os.open(NETWORK_OF_THREAD, os.O_RDONLY)
            _set_up(self.ip)
        except OSError as error:
            self._failure = error
            self._started.set()
            return
        self._namespaces = (outside, inside)
        try:
            asyncio.run(self._serve())
        finally:
            os.close(outside)
            os.close(inside)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        servers = []
        for port in self._forwards:

            async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int = port) -> None:
                await self._relay(reader, writer, port)

            servers.append(await asyncio.start_server(relay, "127.0.0.1", port))
        self._started.set()
        await self._ended.wait()
        for server in servers:
            server.close()
        for task in self._relays:
            task.cancel()
        if self._relays:
            await asyncio.wait(self._relays)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._relays.add(task)
        task.add_done_callback(self._relays.discard)
        with contextlib.suppress(OSError, asyncio.CancelledError), contextlib.closing(writer):
            with self._outside():
                # Without an await: this thread is back before another task of it runs.
                out = socket.socket()
            out.setblocking(False)
            await self._loop.sock_connect(out, ("127.0.0.1", port))
            far_reader, far_writer = await asyncio.open_connection(sock=out)
            with contextlib.closing(far_writer):
                await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))

    @contextlib.contextmanager
    def _outside(self) -> Iterator[None]:
        outside, inside = self._namespaces
        _call("setns", outside, CLONE_NEWNET)
        try:
            yield
        finally:
            _call("setns", inside, CLONE_NEWNET)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(READ_BYTES):
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()


def _set_up(ip: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))
        address = struct.pack("16sHH4s16x", b"lo:pod", socket.AF_INET, 0, socket.inet_aton(ip))
        fcntl.ioctl(control, SIOCSIFADDR, address)


def _call(function: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")
