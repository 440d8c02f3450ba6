"""A sample job: submitted, followed and read over HTTP, as any client does it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from dequeuer.core.clock import monotonic
from dequeuer.core.errors import clip
from dequeuer.core.plurals import counted
from dequeuer.dev.display import MAX_RESULT_CHARACTERS, Display, SampleRow
from dequeuer.dev.errors import DevError
from dequeuer.dev.local_aws import BUCKET
from dequeuer.dev.options import Options
from dequeuer.dev.sample_container import ALWAYS, FAILS, ONCE
from dequeuer.jobs.state import has_ended, parse_state

ITEMS_PER_BATCH = 3
POLL_INTERVAL_S = 0.25
OUTPUT_FOLDER = "output"
MAX_SHOWN_LINES = 20
"""Results and errors that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What is submitted.

    Attributes:
        submission: the body.
        expected_failures: items that fail for good, because they ask for it.
        keeps_results: whether the submission has an `output`.
    """

    submission: dict[str, Any]
    expected_failures: int
    keeps_results: bool


def make_sample(options: Options) -> Sample:
    """Return the job that the options ask for.

    Without a payload two of the items fail, so that a retry and an error are seen. A container of the user's own has to
    answer in a certain form when results are kept, so they are not.
    """
    built_in = options.payload is None
    if options.payload is None:
        items: list[Any] = [{"item": number} for number in range(1, options.samples * ITEMS_PER_BATCH + 1)]
        items[1][FAILS], items[2][FAILS] = ONCE, ALWAYS
        batch_size = ITEMS_PER_BATCH
    else:
        given = json.loads(options.payload)
        batch = given if isinstance(given, list) and given else [given]
        items, batch_size = batch * options.samples, len(batch)
    keeps_results = not options.command
    submission: dict[str, Any] = {
        "workers": options.workers,
        "item_list": {"items": items, "batch_size": batch_size},
    }
    if keeps_results:
        submission["output"] = {"s3_path": f"s3://{BUCKET}/{OUTPUT_FOLDER}"}
    return Sample(
        submission=submission,
        expected_failures=1 if built_in and keeps_results else 0,
        keeps_results=keeps_results,
    )


@dataclass(slots=True)
class SampleJob:
    """The job of one run.

    Attributes:
        url: of the API at the gateway.
        job_id: "" before the submission.
    """

    session: aiohttp.ClientSession
    url: str
    display: Display
    job_id: str = ""
    _started: float = field(default_factory=monotonic)

    async def submit(self, sample: Sample) -> None:
        """Submit the job.

        Raises:
            DevError: it was refused.
        """
        self._started = monotonic()
        answer = _accepted(*await self._ask("POST", self.url, json.dumps(sample.submission).encode()))
        self.job_id = str(json.loads(answer)["job_id"])

    async def follow(self) -> dict[str, Any]:
        """Show how far the job is until it has ended; return its last status."""
        with self.display.live():
            while True:
                code, text = await self._ask("GET", f"{self.url}?jobID={self.job_id}")
                if code != 503:  # temporarily not available: ask again
                    status: dict[str, Any] = json.loads(_accepted(code, text))["job_status"]
                    self.display.show([self._row(status)])
                    if has_ended(parse_state(status["status"])):
                        return status
                await asyncio.sleep(POLL_INTERVAL_S)

    def _row(self, status: dict[str, Any]) -> SampleRow:
        return SampleRow(
            name=self.job_id,
            status=str(status["status"]),
            seconds=monotonic() - self._started,
            result=_progress_text(status),
        )

    async def results(self) -> list[str]:
        """Return the lines of all items: a result or an error each. Call it after `follow`."""
        text = _accepted(*await self._ask("GET", f"{self.url}/results?jobID={self.job_id}"))
        return text.rstrip("\n").split("\n")  # not `splitlines`: JSON can contain other ends of lines

    async def _ask(self, method: str, url: str, body: bytes | None = None) -> tuple[int, str]:
        try:
            async with self.session.request(method, url, data=body) as answer:
                return answer.status, await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DevError(f"the gateway does not answer: {clip(str(error) or type(error).__name__)}") from error


def _accepted(status: int, text: str) -> str:
    if status != 200:
        raise DevError(f"the gateway answered {status} to the sample job: {clip(text)}")
    return text


def shown_lines(lines: Sequence[str]) -> str:
    """Return the first lines, indented, and how many more there are."""
    shown = [f"  {line}" for line in lines[:MAX_SHOWN_LINES]]
    if len(lines) > MAX_SHOWN_LINES:
        shown.append(f"  ... and {len(lines) - MAX_SHOWN_LINES} more")
    return "\n".join(shown)


def succeeded(status: dict[str, Any], sample: Sample) -> bool:
    """Return whether the job ended as it had to."""
    if sample.expected_failures == 0:
        return bool(status["status"] == "succeeded")
    failed = (status.get("progress") or {}).get("items_failed")
    return bool(status["status"] == "completed_with_failures" and failed == sample.expected_failures)


def _progress_text(status: dict[str, Any]) -> str:
    progress = status.get("progress") or {}
    error = status.get("error") or {}
    done, total = progress.get("items_done"), progress.get("items_total")
    failed = progress.get("items_failed")
    texts = []
    if done is not None:
        texts.append(f"{done:,} of {counted(total, 'item')}" if total is not None else counted(done, "item"))
    if failed:
        texts.append(f"{failed} failed")
    if error.get("message"):
        texts.append(str(error["message"]))
    return clip(", ".join(texts), MAX_RESULT_CHARACTERS)
