"""Batch metrics over UDP, in the DogStatsD dialect that Cortex spoke."""
# Code of our own: every statsd library brings several MiB of memory, for three kinds of lines.

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from dequeuer.core.errors import clip
from dequeuer.core.events import BatchEnded, Event

LOOK_UP_PERIOD_S = 60.0
"""The least time between two look-ups of the host: a service's address changes, and DNS may be away."""
MAX_WAITING = 1000
"""Lines kept until the host is first known; the oldest are dropped."""
MAX_TAG = 200

_SPECIAL = str.maketrans(dict.fromkeys("|,:#@\N{REPLACEMENT CHARACTER} ", "_"))


class Statsd:
    """Observes the ends of batches and sends them. Never waits: what cannot be sent is dropped.

    Host names are looked up in a thread, as a look-up may block for half a minute.
    """

    def __init__(
        self, address: tuple[str, int], api_name: str, job_id: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin to look up the host; `address` is host and port, an IPv6 host with or without brackets."""
        host, self._port = address
        self._host = host.removeprefix("[").removesuffix("]")
        self._tags = f"api_name:{_tag(api_name)},job_id:{_tag(job_id)}"
        self._clock = clock
        self._socket: socket.socket | None = None
        self._target: tuple[int, Any] | None = None
        self._waiting: deque[bytes] = deque(maxlen=MAX_WAITING)
        self._looking_up = False
        self._look_up_at = clock()
        self._closed = False
        self._numeric = self._look_up(socket.AI_NUMERICHOST)
        self._look_up_if_due()

    def __call__(self, event: Event) -> None:
        """Send what Cortex sent when a batch ends."""
        if type(event) is not BatchEnded or self._closed:
            return
        if event.succeeded:
            self._send(f"cortex_batch_succeeded:1|c|#{self._tags}")
            self._send(f"cortex_time_per_batch:{event.duration_s:.6f}|h|#{self._tags}")
        else:
            self._send(f"cortex_batch_failed:1|c|#{self._tags}")

    def close(self) -> None:
        """Send what was waiting for the address, if it is known by now; take nothing more."""
        self._flush()
        self._closed = True
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, line: str) -> None:
        self._waiting.append(line.encode())
        self._look_up_if_due()
        self._flush()

    def _flush(self) -> None:
        if self._target is None or self._closed:
            return
        family, address = self._target
        while self._waiting:
            datagram = self._waiting.popleft()
            try:
                self._open(family).sendto(datagram, address)
            except OSError:
                return  # this one is lost; the next one may find a way

    def _open(self, family: int) -> socket.socket:
        if self._socket is not None and self._socket.family == family:
            return self._socket
        if self._socket is not None:
            self._socket.close()
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        return self._socket

    def _look_up_if_due(self) -> None:
        now = self._clock()
        if self._numeric or now < self._look_up_at or self._looking_up:
            return
        self._look_up_at = now + LOOK_UP_PERIOD_S
        # A daemon: a look-up that hangs must not keep the process from ending.
        thread = threading.Thread(target=self._look_up_aside, name="statsd look-up", daemon=True)
        self._looking_up = True
        try:
            thread.start()
        except RuntimeError:  # no more threads to be had: try again later
            self._looking_up = False

    def _look_up_aside(self) -> None:
        try:
            self._look_up()
        finally:
            self._looking_up = False

    def _look_up(self, flags: int = 0) -> bool:
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM, flags=flags)
        except (OSError, UnicodeError):
            return False  # the address known so far, if any, is still the best there is
        # IPv4 first, as Go has it: daemons often listen there only, and UDP does not tell.
        family, _type, _protocol, _name, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
        self._target = (int(family), address)
        return True


def _tag(value: str) -> str:
    """Return a tag value that cannot end its tag, its line, or the datagram."""
    return clip(value, MAX_TAG).translate(_SPECIAL).encode("ascii", "replace").decode().replace("?", "_")
