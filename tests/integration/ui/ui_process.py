"""`dequeuer ui` as a process, and a client of it that reads its stream of events."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from typing import Any

from tests.integration.sidecar import Sidecar
from tests.integration.waiting import DEADLINE_S, eventually

OWN = {"X-Dequeuer-UI": "1"}


class Ui(Sidecar):
    """One process, at a free port of this machine."""

    def __init__(self, gateway_url: str, *arguments: str) -> None:
        settings = {"DEQUEUER_LOG_FORMAT": "json"}
        super().__init__(settings, "ui", "--gateway", gateway_url, "--port", "0", *arguments)
        self.port = 0

    def wait_started(self) -> None:
        """Wait until it serves."""

        def started() -> list[dict[str, Any]]:
            assert self.process.poll() is None, f"it has ended: {self.lines[-5:]}"
            return self.events("ui_started")

        [line] = eventually(started, "the page to be served")
        self.port = int(str(line["url"]).rstrip("/").rpartition(":")[2])

    def call(self, method: str, path: str, body: str | None = None) -> tuple[int, Any]:
        """Send a request as the page does; return status and JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body=body, headers=OWN)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def look(self) -> AbstractContextManager[Events]:
        """Look as a page does."""
        return closing(Events(self.port))


class Events:
    """The stream of events. Close it."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
        head = f"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
        self._socket.sendall(head.encode())
        self._file = self._socket.makefile("rb")

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Yield the events by name, until the server ends the stream."""
        name = ""
        for line in self._file:
            if line.startswith(b"event: "):
                name = line[7:].strip().decode()
            elif line.startswith(b"data: "):
                yield name, json.loads(line[6:])

    def until(self, name: str, is_wanted: Any) -> Any:
        """Return the first event of this name that is wanted."""
        for found, fields in self:
            if found == name and is_wanted(fields):
                return fields
        raise AssertionError(f"the stream has ended before {name}")
