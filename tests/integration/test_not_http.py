"""A container that does not speak HTTP/1: nothing is received until one replaces it that does."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container
from tests.integration.servers import free_port
from tests.integration.sidecar import Sidecar, async_settings, batch_settings
from tests.integration.waiting import eventually

Talk = Callable[[socket.socket], None]


@contextlib.contextmanager
def speaking(talk: Talk, port: int) -> Iterator[None]:
    """Run a server that calls `talk` for each connection, in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", port))
    is_over = False

    def serve() -> None:
        while not is_over:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=converse, args=(connection,), daemon=True).start()

    def converse(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(30)
            talk(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        is_over = True
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def tls(certificate: Path) -> Talk:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def talk(connection: socket.socket) -> None:
        # For a request without TLS, OpenSSL closes the connection without an alert.
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(65536)

    return talk


def h2c(_certificate: Path) -> Talk:
    def talk(connection: socket.socket) -> None:
        connection.sendall(b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64")
        if not connection.recv(65536).startswith(b"PRI * HTTP/2.0"):
            connection.sendall(b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x01")

    return talk


def redis(_certificate: Path) -> Talk:
    def talk(connection: socket.socket) -> None:
        while connection.recv(65536):
            connection.sendall(b"-ERR unknown command 'POST', with args beginning with: '/'\r\n")

    return talk


def reason(sidecar: Sidecar) -> tuple[str, str | None]:
    """Return the body of `/healthz`, and why it is not healthy."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{sidecar.admin_port}/healthz", timeout=30) as answer:
            return answer.read().decode(), None
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode(), error.headers["X-Dequeuer-Reason"]


@pytest.mark.parametrize(
    ("server", "name"), [(tls, "TLS"), (h2c, "HTTP/2"), (redis, "Redis")], ids=["tls", "h2c", "redis"]
)
def test_nothing_is_received_until_the_container_is_replaced_and_the_same_messages_then_complete(
    cloud: Cloud, queue: Queue, bucket: Bucket, certificate: Path, server: Callable[[Path], Talk], name: str
) -> None:
    port = free_port()
    settings = async_settings(
        cloud, queue, bucket, port, DEQUEUER_WORKERS="2", DEQUEUER_MAX_ATTEMPTS="1", DEQUEUER_VISIBILITY_TIMEOUT="5"
    )
    requests = [bucket.submit(queue) for _ in range(4)]
    with Sidecar(settings) as sidecar:
        with speaking(server(certificate), port):
            eventually(lambda: sidecar.events("container_not_http"), "the container to be found out")
            [line] = sidecar.events("container_not_http")
            assert (line["level"], line["detail"]) == ("error", f"looks like {name}")
            assert reason(sidecar) == ("unhealthy", f"the container looks like {name}, not HTTP/1")
            assert sidecar.metric("dequeuer_container_not_http") == 1
            received = 'dequeuer_source_calls_total{error="none",op="receive"}'
            polls = sidecar.metric(received)
            looks = sidecar.metric('dequeuer_probes_total{ok="true",probe="user_port:tcp_socket"}')
            eventually(
                lambda: sidecar.metric('dequeuer_probes_total{ok="true",probe="user_port:tcp_socket"}') >= looks + 4,
                "some more looks",
            )
            assert sidecar.metric(received) <= polls + 1
            assert all(line["settlement"] == "retried" for line in sidecar.events("message_settled"))
        assert [bucket.ended(request_id) for request_id in requests] == [None] * 4
        with Container(port=port) as container:
            for request_id in requests:
                assert eventually(lambda r=request_id: bucket.ended(r), "the request to end") == "completed"  # type: ignore[misc]
            assert len(container.requests) == 4
        assert sidecar.events("container_hold_ended")
        assert sidecar.metric("dequeuer_container_not_http") == 0
        assert len(sidecar.events("container_not_http")) == 1


def test_a_batch_is_kept_while_the_container_does_not_speak_http(cloud: Cloud, certificate: Path) -> None:
    queue = cloud.queue(max_receives=3)
    port = free_port()
    queue.send("[1, 2]")
    with Sidecar(batch_settings(cloud, queue, port, DEQUEUER_MAX_ATTEMPTS="1")) as sidecar:
        with speaking(redis(certificate), port):
            eventually(lambda: sidecar.events("container_not_http"), "the container to be found out")
        with Container(port=port) as container:
            eventually(lambda: container.paths("/"), "the batch")
            assert sidecar.wait() == 0
            assert [request.body for request in container.requests] == [b"[1, 2]"]
