"""Batch metrics over UDP in the DogStatsD format, as Cortex sent them."""
# No library is used: each StatsD library takes several MiB of memory, and only three kinds of lines are sent.

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from dequeuer.core.clock import monotonic
from dequeuer.core.errors import clip
from dequeuer.core.events import BatchEnded, Event

LOOK_UP_INTERVAL_S = 60.0
"""The shortest time between two look-ups of the host. The address of a service can change; DNS can be unavailable."""
MAX_QUEUED_LINES = 1000
"""Lines kept until the first look-up of the host succeeds; above it the oldest are dropped."""
MAX_TAG_CHARS = 200

_SPECIAL_CHARS = str.maketrans(dict.fromkeys("|,:#@\N{REPLACEMENT CHARACTER} ", "_"))


class Statsd:
    """An observer that sends a metric when a batch ends. It never blocks: a line that cannot be sent is dropped.

    Host names are looked up in a thread, because a look-up can block for half a minute.
    """

    def __init__(
        self, address: tuple[str, int], api_name: str, job_id: str, *, clock: Callable[[], float] = monotonic
    ) -> None:
        """Start to look up the host. `address` is host and port; an IPv6 host may have brackets."""
        host, self._port = address
        self._host = host.removeprefix("[").removesuffix("]")
        self._tags = f"api_name:{_tag(api_name)},job_id:{_tag(job_id)}"
        self._clock = clock
        self._socket: socket.socket | None = None
        self._target: tuple[int, Any] | None = None
        self._queued: deque[bytes] = deque(maxlen=MAX_QUEUED_LINES)
        self._looking_up = False
        self._next_look_up_at = clock()
        self._closed = False
        self._is_numeric = self._look_up(socket.AI_NUMERICHOST)
        self._look_up_if_due()

    def __call__(self, event: Event) -> None:
        """Send the metrics that Cortex sends when a batch ends."""
        if type(event) is not BatchEnded or self._closed:
            return
        if event.succeeded:
            self._send(f"cortex_batch_succeeded:1|c|#{self._tags}")
            self._send(f"cortex_time_per_batch:{event.duration_s:.6f}|h|#{self._tags}")
        else:
            self._send(f"cortex_batch_failed:1|c|#{self._tags}")

    def close(self) -> None:
        """Send the queued lines if the address is known by now, then close the socket. Later events are ignored."""
        self._flush()
        self._closed = True
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, line: str) -> None:
        self._queued.append(line.encode())
        self._look_up_if_due()
        self._flush()

    def _flush(self) -> None:
        if self._target is None or self._closed:
            return
        family, address = self._target
        while self._queued:
            datagram = self._queued.popleft()
            try:
                self._open(family).sendto(datagram, address)
            except OSError:
                return  # this line is lost; the next one may succeed

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
        if self._is_numeric or now < self._next_look_up_at or self._looking_up:
            return
        self._next_look_up_at = now + LOOK_UP_INTERVAL_S
        # A daemon thread, because a look-up that hangs must not keep the process from ending.
        thread = threading.Thread(target=self._look_up_in_thread, name="statsd look-up", daemon=True)
        self._looking_up = True
        try:
            thread.start()
        except RuntimeError:  # no more threads can be started: try again later
            self._looking_up = False

    def _look_up_in_thread(self) -> None:
        try:
            self._look_up()
        finally:
            self._looking_up = False

    def _look_up(self, flags: int = 0) -> bool:
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM, flags=flags)
        except (OSError, UnicodeError):
            return False  # keep the last known address, if any
        # IPv4 is preferred, as in Go: daemons often listen on IPv4 only, and UDP does not report that.
        family, _type, _protocol, _name, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
        self._target = (int(family), address)
        return True


def _tag(value: str) -> str:
    """Return the value without the characters that end a tag or a line."""
    return clip(value, MAX_TAG_CHARS).translate(_SPECIAL_CHARS).encode("ascii", "replace").decode().replace("?", "_")
