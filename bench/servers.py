"""The servers of a run, and their control by the measuring process."""

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
    """The ports of the canned servers."""

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
    """Counts requests to other servers than the canned ones."""

    def reset(self) -> None:
        """Set all counts to zero."""

    def counts(self) -> Mapping[str, int]:
        """Return the number of requests since `reset`, by operation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """The addresses of the servers, and their control.

    Attributes:
        name: `own` or `nginx`.
        ports: the ports of all servers.
        authority: the file of the certificate authority.
        other_counter: counts requests to other servers than the canned ones; None when there are none.
    """

    name: str
    ports: Ports
    authority: Path
    other_counter: Counter | None = None

    def begin(self, shape: Shape) -> None:
        """Reset all counts, and serve messages and objects of this shape."""
        self._order({"shape": asdict(shape)})
        if self.other_counter is not None:
            self.other_counter.reset()

    def watch(self, pid: int, at: tuple[int, ...], of: Of = "done") -> None:
        """Measure a process when these message counts are reached."""
        self._order({"watch": {"pid": pid, "at": at, "of": of}})

    def put(self) -> None:
        """Send one message to the queue now."""
        self._order({"put": True})

    def observed(self) -> dict[str, Any]:
        """Return the counts so far. Raises `BenchError` when a server got a request that it does not know."""
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
            raise BenchError(f"the canned servers refused a control request: {text}")
        observed: dict[str, Any] = json.loads(text)
        if observed["unexpected"]:
            raise BenchError(f"the canned servers got requests that they do not know: {observed['unexpected']}")
        return observed


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
