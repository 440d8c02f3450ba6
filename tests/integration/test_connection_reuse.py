"""A container that responds before it has read the body, and keeps the connection: bytes of one request never become
part of the next one."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self
from urllib.parse import urlsplit

import pytest

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.sidecar import Sidecar, async_settings
from tests.integration.waiting import eventually

STALL_AFTER_BYTES = 300_000
STREAMED = b"s" * 2_000_000


class Loopback:
    """A server on loopback with a thread for each connection."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._begin, args=(connection,), daemon=True).start()

    def _begin(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self.converse(connection)
            # A plain close would wait for the thread that still reads.
            connection.shutdown(socket.SHUT_RDWR)

    def converse(self, connection: socket.socket) -> None:
        """Serve one connection."""
        raise NotImplementedError


class EarlyContainer(Loopback):
    """Responds to each head when it has arrived, or when `may_answer` returns true for the number of bytes after it.

    `connections` holds the heads of each connection.
    """

    def __init__(self, status: int, may_answer: Callable[[int], bool] = lambda _: True) -> None:
        super().__init__()
        self._may_answer = may_answer
        self._answer = (
            f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}".encode()
        )
        self.connections: list[list[bytes]] = []

    def converse(self, connection: socket.socket) -> None:
        heads: list[bytes] = []
        data = b""
        while chunk := connection.recv(65536):
            data += chunk
            while (end := data.find(b"\r\n\r\n")) >= 0 and self._may_answer(len(data) - end - 4):
                if not heads:
                    self.connections.append(heads)
                heads.append(data[:end])
                data = data[end + 4 :]
                connection.sendall(self._answer)


class StallingStore(Loopback):
    """A proxy to S3 on which a large response stops half-way, until its connection is closed.

    `passed` is how much of `STREAMED` was let through by then.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        upstream = urlsplit(url)
        self._upstream = (str(upstream.hostname), int(upstream.port or 80))
        self.url = f"http://127.0.0.1:{self.port}"
        self.stalled = threading.Event()
        self.broken_off = threading.Event()
        self.passed = 0

    def converse(self, connection: socket.socket) -> None:
        with socket.create_connection(self._upstream) as upstream:
            threading.Thread(target=_pump, args=(connection, upstream), daemon=True).start()
            passed = 0
            while chunk := upstream.recv(65536):
                rest = len(chunk) - len(chunk.rstrip(STREAMED[:1]))
                passed = passed + rest if rest == len(chunk) else rest
                stalls = passed >= STALL_AFTER_BYTES and not self.broken_off.is_set()
                if stalls:
                    # Set before the bytes are sent, so that it is known once all of them have arrived.
                    self.passed = passed
                    self.stalled.set()
                connection.sendall(chunk)
                if stalls:
                    self.broken_off.wait(60)
                    return


def _pump(reader: socket.socket, writer: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := reader.recv(65536):
            writer.sendall(chunk)
        writer.shutdown(socket.SHUT_WR)


def is_clean(container: EarlyContainer) -> bool:
    """Return whether every head was a request of the sidecar."""
    return all(head.startswith(b"POST / HTTP/1.1\r\n") for heads in container.connections for head in heads)


def test_a_payload_that_fails_after_the_answer_leaves_nothing_for_the_next_request(
    cloud: Cloud, queue: Queue, bucket: Bucket
) -> None:
    store = StallingStore(cloud.url)
    # It has all available bytes of the payload: with more, the sidecar would see the response before the failure.
    container = EarlyContainer(
        200, lambda size: store.broken_off.is_set() or (store.stalled.is_set() and size >= store.passed)
    )
    with container, store:
        settings = async_settings(
            cloud, queue, bucket, container.port, AWS_ENDPOINT_URL_S3=store.url, DEQUEUER_AWS_CLIENT="slim"
        )
        first = bucket.submit(queue, STREAMED)
        with Sidecar(settings) as sidecar:
            assert store.stalled.wait(60)
            eventually(lambda: container.connections, "the container to have answered")
            # The rest of the payload is no longer available.
            bucket.s3.delete_object(Bucket=bucket.name, Key=bucket.key(first, "payload"))
            store.broken_off.set()
            assert eventually(lambda: bucket.ended(first), "the first request to end") == "failed"
            second = bucket.submit(queue, b"small", {"X-Of": ["second"]})
            assert eventually(lambda: bucket.ended(second), "the second request to end") == "completed"
            assert len(sidecar.settled(2)) == 2
    assert is_clean(container)
    assert len(container.connections) == 2
    assert b"X-Of: second" in container.connections[1][0]


@pytest.mark.parametrize("status", [400, 404, 413, 500])
def test_a_refusal_that_leaves_the_body_unread_does_not_poison_the_next_request(
    cloud: Cloud, queue: Queue, bucket: Bucket, status: int
) -> None:
    with (
        EarlyContainer(status) as container,
        Sidecar(async_settings(cloud, queue, bucket, container.port)),
    ):
        requests = [bucket.submit(queue, b"x" * 1000) for _ in range(3)]
        for request_id in requests:
            assert eventually(lambda r=request_id: bucket.ended(r), "the request to end") == "failed"  # type: ignore[misc]
            assert bucket.failure(request_id)["status_code"] == status
    assert is_clean(container)
    assert len(container.connections) == 3
