"""A sample container for users without one: `python -m dequeuer.dev.sample_container --port 8080`.

It behaves like a model server: each request takes `INFERENCE_S` and gets a JSON response. Requests and items of a batch
can ask for a failure: `{"item": 1, "fails": "once"}`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from json import JSONDecodeError
from typing import Any

from aiohttp import web

from dequeuer.core.plurals import counted

INFERENCE_S = 0.4
MAX_BODY_BYTES = 16 * 1024 * 1024
FAILS, ONCE, ALWAYS = "fails", "once", "always"
"""The field of an item or a request, and its values. `once`: the first time that this process gets it; it asks for a
retry. A request fails by the end of its connection, as in a crash."""


class SampleModel:
    """A model that waits and then returns its input."""

    def __init__(self, inference_s: float = INFERENCE_S) -> None:
        self._inference_s = inference_s
        self._items = 0
        self._failed_once: set[str] = set()

    async def predict(self, request: web.Request) -> web.Response:
        """`POST /`: an async request, or a batch of a job."""
        started = time.monotonic()
        try:
            payload = json.loads(await request.read())
        except (JSONDecodeError, UnicodeDecodeError):
            return web.json_response({"error": "this container wants JSON"}, status=400)
        await asyncio.sleep(self._inference_s)
        took_ms = round((time.monotonic() - started) * 1000)
        if "X-Cortex-Job-ID" in request.headers and isinstance(payload, list):
            return web.json_response(self._batch(payload))
        if self._failure(0, payload) is not None and request.transport is not None:
            request.transport.abort()
        return web.json_response({"echo": payload, "inference_ms": took_ms})

    async def on_job_complete(self, request: web.Request) -> web.Response:
        """`POST /on-job-complete`: every batch of the job is done."""
        await request.read()
        print("/on-job-complete: every batch is done", flush=True)
        return web.json_response({})

    def _batch(self, items: list[Any]) -> dict[str, Any]:
        """Return the answer to a batch whose results are kept."""
        failures = [failure for index, item in enumerate(items) if (failure := self._failure(index, item))]
        failed = {failure["index"] for failure in failures}
        self._items += len(items) - len(failed)
        told = f", {len(failed)} of them failed" if failed else ""
        print(f"a batch of {counted(len(items), 'item')}{told}; {self._items} done so far", flush=True)
        results = [None if index in failed else {"echo": item} for index, item in enumerate(items)]
        return {"results": results, "failures": failures}

    def _failure(self, index: int, item: Any) -> dict[str, Any] | None:
        asks_for = item.get(FAILS) if isinstance(item, dict) else None
        if asks_for == ALWAYS:
            return {"index": index, "error": "this item asks for a failure"}
        text = json.dumps(item)
        if asks_for == ONCE and text not in self._failed_once:
            self._failed_once.add(text)
            return {"index": index, "error": "this item asks for a retry", "retry": True}
        return None


def make_app(model: SampleModel) -> web.Application:
    """Return the web application."""
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.router.add_post("/", model.predict)
    app.router.add_post("/on-job-complete", model.on_job_complete)
    return app


def main(argv: Sequence[str] | None = None) -> None:
    """Serve on loopback until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m dequeuer.dev.sample_container", description="A sample container.")
    parser.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args(argv)
    web.run_app(make_app(SampleModel()), host="127.0.0.1", port=arguments.port, print=None, access_log=None)


if __name__ == "__main__":
    main()
