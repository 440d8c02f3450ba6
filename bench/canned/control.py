"""The control of the canned servers: the measuring process sends commands and reads counts."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from bench.canned.http import Request, whole
from bench.canned.sqs import Sqs
from bench.canned.state import Shape, State, Watch

PATH = b"/_bench"


class Control:
    """`GET /_bench` returns the counts; `POST /_bench` takes `{"shape": ...}`, `{"watch": ...}` or `{"put": true}`."""

    def __init__(self, state: State, sqs: Sqs) -> None:
        self._state = state
        self._sqs = sqs

    def serve(self, request: Request) -> None:
        """Respond to one request."""
        if request.target != PATH:
            request.answer(whole("404 Not Found", b""))
            return
        if request.method == b"POST":
            try:
                self._execute(json.loads(request.body))
            except (ValueError, TypeError, KeyError) as error:
                request.answer(whole("400 Bad Request", f"{type(error).__name__}: {error}".encode()))
                return
        request.answer(whole("200 OK", json.dumps(self._state.observed()).encode(), "Content-Type: application/json"))

    def _execute(self, order: dict[str, Any]) -> None:
        if "shape" in order:
            known = {entry.name for entry in fields(Shape)}
            if unknown := set(order["shape"]) - known:
                raise ValueError(f"a shape has no {', '.join(sorted(unknown))}")
            self._state.begin(Shape(**order["shape"]))
            self._sqs.reset()
        if "watch" in order:
            watch = order["watch"]
            self._state.marks = []
            self._state.watch = Watch(pid=watch["pid"], at=tuple(watch["at"]), of=watch["of"])
        if order.get("put"):
            self._sqs.queue.put()
