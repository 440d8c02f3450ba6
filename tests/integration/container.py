"""The container: a web server in a thread, controlled by the test."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

READ_BYTES = 1 << 20
PIECE_BYTES = 64 * 1024


@dataclass
class Request:
    """What arrived. `body` is kept up to a megabyte; the digest is of the whole."""

    path: str
    headers: list[tuple[str, str]]
    size: int
    digest: str
    body: bytes
    client: object = None
    """Address and port of the client: different for each connection."""

    def header(self, name: str) -> list[str]:
        """Return the values of a header, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


@dataclass
class Reply:
    """A response. `cut`: the connection is broken after that many bytes of the body.

    Status 0 hangs up without a word. With `chunks` they are the body, of unknown length and perhaps without an end; `cut` then leaves the end out.
    """

    status: int = 200
    body: bytes = b'{"ok": true}'
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    cut: int | None = None
    chunks: Iterable[bytes] | None = None
    write_timeout_s: float | None = None
    """Write timeout, as in web servers: the connection is broken when a piece of the response is not read for so long."""


class Container:
    """Responds with what `reply` returns. It may block: each request has a thread of its own.

    Attributes:
        reply: answers POST.
        health: the status that GET is answered with; `looks` counts those.
        hung_up: how many requests had nobody left to be answered.
    """

    def __init__(self, reply: Callable[[Request], Reply] | None = None, port: int = 0, host: str = "127.0.0.1") -> None:
        self.reply = reply or (lambda _request: Reply())
        self.requests: list[Request] = []
        self.health = 200
        self.looks = 0
        self.hung_up = 0
        self.running = 0
        self.most_running = 0
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        container = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                container._connections.add(self.connection)

            def finish(self) -> None:
                container._connections.discard(self.connection)
                super().finish()

            def do_POST(self) -> None:
                container.serve(self)

            def do_GET(self) -> None:
                container.looks += 1
                self.send_response(container.health)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
            request_queue_size = 256

            def handle_error(self, *_: object) -> None:
                """Ignore errors: some tests close connections."""

        self._server = Server((host, port), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop listening and break every connection, like a killed container."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """Respond to one request."""
        left = int(handler.headers["Content-Length"])
        size, digest, kept = left, hashlib.sha256(), b""
        while left:
            chunk = handler.rfile.read(min(READ_BYTES, left))
            if not chunk:
                return
            left -= len(chunk)
            digest.update(chunk)
            kept = kept or chunk
        request = Request(
            handler.path, list(handler.headers.items()), size, digest.hexdigest(), kept, handler.client_address
        )
        with self._lock:
            self.requests.append(request)
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        try:
            reply = self.reply(request)
        finally:
            with self._lock:
                self.running -= 1
        if _has_hung_up(handler.connection):
            with self._lock:
                self.hung_up += 1
            handler.close_connection = True
            return
        _answer(handler, reply)

    def connected(self) -> int:
        """Count the connections that are open."""
        return len(self._connections)

    def paths(self, path: str) -> int:
        """Count the requests to a path."""
        return sum(request.path == path for request in self.requests)


def _has_hung_up(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _answer(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    if not reply.status:
        handler.close_connection = True
        return
    handler.send_response(reply.status)
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    if reply.chunks is None:
        handler.send_header("Content-Length", str(len(reply.body)))
        handler.end_headers()
        handler.connection.settimeout(reply.write_timeout_s)
        for at in range(0, len(reply.body), PIECE_BYTES) if reply.write_timeout_s else ():
            handler.wfile.write(reply.body[at : at + PIECE_BYTES])
        if reply.write_timeout_s:
            handler.connection.settimeout(None)
            return
        handler.wfile.write(reply.body if reply.cut is None else reply.body[: reply.cut])
    else:
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.connection.settimeout(reply.write_timeout_s)
        for chunk in reply.chunks:
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        if reply.cut is None:
            handler.wfile.write(b"0\r\n\r\n")
    handler.wfile.flush()
    if reply.cut is not None:
        handler.close_connection = True


class Held:
    """A reply that waits for the test."""

    def __init__(self) -> None:
        self.release = threading.Event()

    def __call__(self, _request: Request) -> Reply:
        assert self.release.wait(120)
        return Reply()


def in_turn(*replies: Reply) -> Callable[[Request], Reply]:
    """Return the replies in turn; the last one again and again."""
    left = list(replies)
    lock = threading.Lock()

    def reply(_request: Request) -> Reply:
        with lock:
            return left.pop(0) if len(left) > 1 else left[0]

    return reply
