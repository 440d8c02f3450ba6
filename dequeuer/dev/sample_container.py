"""A sample container for users without one: `python -m dequeuer.dev.sample_container --port 8080`.

It behaves like a model server: each request takes `INFERENCE_S` and gets a JSON response.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from json import JSONDecodeError

from aiohttp import web

INFERENCE_S = 0.4
MAX_BODY_BYTES = 16 * 1024 * 1024


class SampleModel:
    """A model that waits and then returns its input."""

    def __init__(self, inference_s: float = INFERENCE_S) -> None:
        self._inference_s = inference_s
        self._items = 0

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
            self._items += len(payload)
            print(f"a batch of {len(payload)} items, {self._items} so far", flush=True)
            return web.json_response({"items": len(payload)})
        return web.json_response({"echo": payload, "inference_ms": took_ms})

    async def on_job_complete(self, request: web.Request) -> web.Response:
        """`POST /on-job-complete`: every batch of the job is done."""
        await request.read()
        print(f"/on-job-complete: all done, {self._items} items", flush=True)
        return web.json_response({})


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
