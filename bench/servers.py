"""The servers of a run, as the measuring side sees them."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from bench.canned.state import Of, Shape
from bench.certificates import Certificates
from bench.child import BenchError, child
from bench.wire_format import QUEUE_PATH


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where the canned servers listen."""

    sqs_http: int
    sqs_https: int
    s3_http: int
    s3_https: int
    container: int
    control: int

    def sqs(self, *, tls: bool) -> int:
        """Return the queue's port."""
        return self.sqs_https if tls else self.sqs_http

    def s3(self, *, tls: bool) -> int:
        """Return the store's port."""
        return self.s3_https if tls else self.s3_http

    def queue_url(self, *, tls: bool) -> str:
        """Return the queue's URL."""
        return f"{'https' if tls else 'http'}://127.0.0.1:{self.sqs(tls=tls)}{QUEUE_PATH}"


class Counter(Protocol):
    """Counts requests that the canned servers do not see."""

    def reset(self) -> None:
        """Begin at zero."""

    def counts(self) -> Mapping[str, int]:
        """Return requests by operation, since then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """All that a client needs to know, and the control.

    Attributes:
        name: `own` or `nginx`.
        ports: where they listen.
        authority: who signed their certificates.
        elsewhere: counts what others than the canned servers answer; None: nobody else does.
    """

    name: str
    ports: Ports
    authority: Path
    elsewhere: Counter | None = None

    def begin(self, shape: Shape) -> None:
        """Forget what was seen, and serve this."""
        self._order({"shape": asdict(shape)})
        if self.elsewhere is not None:
            self.elsewhere.reset()

    def watch(self, pid: int, at: tuple[int, ...], of: Of = "done") -> None:
        """Have a process measured at these counts."""
        self._order({"watch": {"pid": pid, "at": at, "of": of}})

    def put(self) -> None:
        """Hand out one message now."""
        self._order({"put": True})

    def told(self) -> dict[str, Any]:
        """Return what has been seen so far. Raises `BenchError` for a request that a sound client never sends."""
        return self._ask("GET", None)

    def _order(self, order: Mapping[str, Any]) -> None:
        self._ask("POST", json.dumps(order))

    def _ask(self, method: str, body: str | None) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports.control, timeout=30)
        try:
            connection.request(method, "/_bench", body)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status != 200:
            raise BenchError(f"the canned servers refused an order: {text}")
        told: dict[str, Any] = json.loads(text)
        if told["unexpected"]:
            raise BenchError(f"the canned servers were asked what they do not know: {told['unexpected']}")
        return told


@contextmanager
def canned(folder: Path, certificates: Certificates) -> Iterator[Servers]:
    """Run the canned servers until the end of the block."""
    command = [sys.executable, "-m", "bench.canned", str(certificates.chain), str(certificates.key)]
    log = folder / "canned.log"
    with child(command, log, stdout=subprocess.PIPE) as process:
        line = process.stdout.readline() if process.stdout is not None else b""
        if not line:
            raise BenchError(f"the canned servers did not start:\n{log.read_text(errors='replace')}")
        yield Servers(name="own", ports=Ports(**json.loads(line)), authority=certificates.authority)
