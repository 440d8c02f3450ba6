"""Sample requests of a realtime API, sent to the gateway as any client does it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import aiohttp
from yarl import URL

from dequeuer.core.clock import monotonic
from dequeuer.core.errors import clip
from dequeuer.dev.display import MAX_RESULT_CHARACTERS, Display, SampleRow
from dequeuer.dev.options import Options

MAX_RESPONSE_BYTES: Final = 64 * 1024
"""Read from a response; only its beginning is shown."""


class SampleFailedError(Exception):
    """A sample did not come back as it should. The text is shown."""


@dataclass(frozen=True, slots=True)
class RealtimeSample:
    """A sample: `run` returns what came back, or raises `SampleFailedError`."""

    name: str
    run: Callable[[], Awaitable[str]]


class RealtimeSamples:
    """The samples of one run.

    Args:
        session: for requests.
        url: of the API at the gateway.
        display: for the user.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str, display: Display) -> None:
        self._session = session
        self._url = url
        self._display = display

    async def run(self, options: Options) -> list[SampleRow]:
        """Send one sample after the other, and show each; return their rows."""
        rows: list[SampleRow] = []
        with self._display.live():
            for sample in self._samples(options):
                rows.append(await _run(sample))
                self._display.show(rows)
        return rows

    def _samples(self, options: Options) -> list[RealtimeSample]:
        """Return the samples. A container of the user's own gets requests to `/` alone: the rest is not known of it."""
        built_in = not options.command
        path = "/predict/a%2Fb?n={}" if built_in else "/"
        made = []
        for number in range(1, options.samples + 1):
            payload = options.payload or json.dumps({"text": "hello, container", "sample": number})
            made.append(self._request(path.format(number), payload))
        if built_in:
            made += [RealtimeSample("GET /events", self._events), RealtimeSample("WebSocket /ws", self._websocket)]
        return made

    def _request(self, path: str, payload: str) -> RealtimeSample:
        async def run() -> str:
            headers = {"Content-Type": "application/json"}
            url = URL(self._url + path, encoded=True)  # otherwise %2F would become a slash
            async with self._session.post(url, data=payload.encode(), headers=headers) as answer:
                text = (await answer.content.read(MAX_RESPONSE_BYTES)).decode(errors="replace")
                return _checked(answer, text)

        return RealtimeSample(f"POST {path}", run)

    async def _events(self) -> str:
        began = monotonic()
        shown = []
        async with self._session.get(f"{self._url}/events") as answer:
            _checked(answer, "")
            async for line in answer.content:
                if line.startswith(b"data: "):
                    word = line.removeprefix(b"data: ").decode(errors="replace").strip()
                    shown.append(f"{word} (after {monotonic() - began:.1f} s)")
        if not shown:
            raise SampleFailedError("no event came")
        return ", ".join(shown)

    async def _websocket(self) -> str:
        async with self._session.ws_connect(f"{self._url}/ws") as socket:
            await socket.send_str("hello")
            return await socket.receive_str()


async def _run(sample: RealtimeSample) -> SampleRow:
    began = monotonic()
    try:
        result, status = await sample.run(), "completed"
    except SampleFailedError as error:
        result, status = str(error), "failed"
    except (aiohttp.ClientError, TimeoutError, TypeError) as error:  # TypeError: a WebSocket ended instead of a text
        result, status = clip(str(error) or type(error).__name__), "failed"
    return SampleRow(
        name=sample.name, status=status, seconds=monotonic() - began, result=clip(result, MAX_RESULT_CHARACTERS)
    )


def _checked(answer: aiohttp.ClientResponse, text: str) -> str:
    if not answer.ok:
        raise SampleFailedError(f"status {answer.status}: {text}")
    return text
