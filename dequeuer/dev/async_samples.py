"""Sample requests of an async API. They are submitted and followed over HTTP, as any client does it."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field, replace

import aiohttp

from dequeuer.core.errors import clip
from dequeuer.dev.display import FINISHED, MAX_RESULT_CHARACTERS, Display, SampleRow
from dequeuer.dev.errors import DevError
from dequeuer.dev.log_line import SettledLine, settled_text

POLL_INTERVAL_S = 0.1
MAX_RESPONSE_BYTES = 64 * 1024
"""Read from a response. A result may be very large; only its beginning is shown."""
_SHOWN_IN_ROWS = frozenset({"completed", "failed", "already_finished"})
"""Settlements of samples that are visible in their rows already."""
_TEXTS = ("good morning", "a request that waits in the queue", "and one that comes out again", "hello, container")


@dataclass(slots=True)
class SampleRequests:
    """The sample requests of one run.

    Attributes:
        url: the URL of the API at the gateway.
        rows: one for each request, in the order of submission.
    """

    session: aiohttp.ClientSession
    url: str
    display: Display
    rows: list[SampleRow] = field(default_factory=list)
    _submitted: dict[str, float] = field(default_factory=dict)
    _all_submitted: bool = False
    _settled_early: list[SettledLine] = field(default_factory=list)

    async def run(self, payloads: list[str]) -> list[SampleRow]:
        """Submit all payloads, show their rows until each request is finished, return the final rows."""
        with self.display.live():
            for payload in payloads:
                await self._submit(payload)
                self.display.show(self.rows)
            self._all_submitted = True
            for message in self._settled_early:
                self.on_settled(message)
            while any(row.status not in FINISHED for row in self.rows):
                for number, row in enumerate(self.rows):
                    if row.status not in FINISHED:
                        self.rows[number] = await self._look_up(row)
                self.display.show(self.rows)
                await asyncio.sleep(POLL_INTERVAL_S)
        return self.rows

    def on_settled(self, message: SettledLine) -> None:
        """Print a settled message that no row shows: a request of the user, or a sample that will be retried."""
        if not self._all_submitted:
            # On a busy machine the sidecar's line about a sample can come before the response with its id.
            self._settled_early.append(message)
            return
        if message.ref in self._submitted and message.settlement in _SHOWN_IN_ROWS:
            return
        self.display.print_text(settled_text(message))

    async def _submit(self, payload: str) -> None:
        headers = {"Content-Type": "application/json"}
        started = time.monotonic()
        status, body = await self._ask("POST", self.url, headers, payload.encode())
        if status != 200:
            raise DevError(f"the gateway refused a sample with {status}: {clip(body)}")
        request_id = str(json.loads(body)["id"])
        self._submitted[request_id] = started
        self.rows.append(SampleRow(name=request_id, status="in_queue", seconds=time.monotonic() - started))

    async def _look_up(self, row: SampleRow) -> SampleRow:
        seconds = time.monotonic() - self._submitted[row.name]
        status, body = await self._ask("GET", f"{self.url}/{row.name}", {}, b"")
        if status == 503:  # temporarily not available: ask again
            return replace(row, seconds=seconds)
        if status != 200:
            raise DevError(f"the gateway answered {status} for request {row.name}: {clip(body)}")
        state, result = read_report(body)
        return replace(row, status=state, seconds=seconds, result=result)

    async def _ask(self, method: str, url: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        try:
            async with self.session.request(method, url, headers=headers, data=body or None) as answer:
                text = bytearray()
                async for chunk in answer.content.iter_any():
                    text += chunk
                    if len(text) >= MAX_RESPONSE_BYTES:
                        break
                return answer.status, text.decode(errors="replace")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DevError(f"the gateway does not answer: {clip(str(error) or type(error).__name__)}") from error


def payloads(count: int, given: str | None) -> list[str]:
    """Return the payloads to submit: the one that the user gave, or built-in sentences."""
    if given is not None:
        return [given] * count
    return [json.dumps({"text": _TEXTS[number % len(_TEXTS)], "sample": number + 1}) for number in range(count)]


def read_report(body: str) -> tuple[str, str]:
    """Return the status, and the beginning of the result or of the error, with the number of attempts above one."""
    try:
        report = json.loads(body)
    except ValueError:
        # The body was read only up to `MAX_RESPONSE_BYTES`; only a completed request has a body that long.
        return "completed", clip(body.partition('"result":')[2], MAX_RESULT_CHARACTERS)
    failure = report.get("error", {})
    text = json.dumps(report["result"], ensure_ascii=False) if "result" in report else str(failure.get("message", ""))
    attempts = len(report.get("attempts", ()))
    if text and attempts > 1:
        text = f"{attempts} attempts: {text}"
    return str(report["status"]), clip(text, MAX_RESULT_CHARACTERS)
