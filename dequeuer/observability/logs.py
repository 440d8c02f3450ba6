"""Logs: one JSON object a line on stdout, and the observer that turns events into lines."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from dequeuer.core.errors import clip
from dequeuer.core.events import (
    ContainerJudged,
    DrainChanged,
    Event,
    GateChanged,
    LeaseLost,
    LimitChanged,
    Probed,
    Settled,
    SourceCalled,
    StoreCalled,
    StoreLacks,
)
from dequeuer.core.refusal_codes import canonical, hint, permission
from dequeuer.core.refusals import Standing, Verdict
from dequeuer.observability.credentials_log import CredentialsLog
from dequeuer.process.standard_streams import BestEffortStream

MESSAGE_LIMIT = 1024
"""Characters of a line of other libraries."""
TRACEBACK_LIMIT = 8192
"""Characters of a traceback that are kept: the last ones tell most."""
OUTAGES_PER_MINUTE = 3
"""Else a store that refuses every other call would fill the log with its comings and goings."""

_LEVEL: dict[str, int] = {
    "completed": logging.INFO,
    "already_finished": logging.INFO,
    "succeeded": logging.INFO,
    "job_completed": logging.INFO,
    "duplicate": logging.INFO,
    "requeued": logging.INFO,
    "released": logging.INFO,
    "lease_lost": logging.INFO,  # has had its warning by then
    "error": logging.ERROR,
}
"""Levels of settlements; all others are warnings."""

_PHASES: dict[str, tuple[int, str]] = {
    "started": (logging.INFO, "started"),
    "drain": (logging.INFO, "draining"),
    "release": (logging.WARNING, "grace_over_releasing"),
    "drained": (logging.INFO, "drained"),
    "queue_empty": (logging.INFO, "queue_empty"),
}

Level = Literal["debug", "info", "warning", "error", "critical"]


def configure(level: Level, log_format: Literal["json", "console"]) -> None:
    """Set logging up for the whole process; loggers taken before keep their old ways.

    What other libraries and Python itself log or warn of comes out the same way, from WARNING on:
    below that botocore logs signatures and whole requests.
    """
    finish: list[Processor]
    if log_format == "json":
        finish = [structlog.processors.format_exc_info, _cut_traceback, _render_json]
    else:
        colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        # The pretty formatters print local variables, which hold payloads and credentials.
        plain = structlog.dev.plain_traceback
        finish = [structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plain)]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *finish,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(BestEffortStream(sys.stdout)),  # type: ignore[arg-type]  # it is only written to and flushed
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Forward)]:
        root.removeHandler(handler)
    root.addHandler(_Forward(logging.WARNING))
    root.setLevel(logging.WARNING)
    for name in ("botocore", "aiobotocore", "aiohttp", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)


class _Forward(logging.Handler):
    """Hands records of the standard library's logging to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - a call with the wrong arguments; the line still says who made it
            text = str(record.msg)
        # structlog knows the five usual levels only; this handler sees none below a warning.
        level = min(record.levelno // 10 * 10, logging.CRITICAL)
        try:
            structlog.get_logger().log(level, clip(text, MESSAGE_LIMIT), logger=record.name, exc_info=record.exc_info)
        except Exception:  # noqa: BLE001 - a closed stdout must not make the library fail that logs
            self.handleError(record)


# Made once: json.dumps makes an encoder a call as soon as it is given any option.
_encode = json.JSONEncoder(default=lambda value: clip(repr(value)), check_circular=False).encode


def _render_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    first = {"timestamp": event.pop("timestamp"), "level": event.pop("level"), "event": event.pop("event")}
    return _encode(first | dict(event))


def _cut_traceback(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if len(event.get("exception", "")) > TRACEBACK_LIMIT:
        event["exception"] = "..." + event["exception"][-TRACEBACK_LIMIT:]
    return event


class _Trouble:
    """One thing that is in order or not: a line when it begins, a line when it is over."""

    __slots__ = ("_announced", "_calls", "_recent", "_since")

    def __init__(self) -> None:
        self._since: float | None = None
        self._calls = 0
        self._announced = False
        self._recent: deque[float] = deque(maxlen=OUTAGES_PER_MINUTE)

    def failed(self, now: float) -> bool:
        """Take note of a failure; tell whether it is to be logged."""
        if self._since is None:
            self._since = now
            self._calls = 0
        self._calls += 1
        many = len(self._recent) == OUTAGES_PER_MINUTE and now - self._recent[0] < 60
        if self._announced or many:
            return False
        self._recent.append(now)
        self._announced = True
        return True

    def over(self, now: float) -> tuple[float, int] | None:
        """Take note that all is well; return for how long it was not, and how many calls failed, if to be logged."""
        since, announced = self._since, self._announced
        self._since, self._announced = None, False
        return (now - since, self._calls) if since is not None and announced else None


class LogObserver:
    """Writes the lines that somebody who runs this wants to read. Made after `configure`.

    One line for every message; one when something begins to fail and one when it is over, however often it is
    tried in between. Lines hold what the events hold: never a payload, a header's value or a credential.
    """

    def __init__(self, api_name: str, job_id: str = "", *, clock: Callable[[], float] = time.monotonic) -> None:
        """Bind `api_name`, and `job_id` unless it is empty, to every line."""
        context = {"api_name": api_name} | ({"job_id": job_id} if job_id else {})
        self._log = structlog.get_logger().bind(**context)
        self._clock = clock
        self._outages: dict[str, _Trouble] = {}
        self._refused = Standing()
        self._denials: dict[tuple[str, str], _Trouble] = {}
        self._probes: dict[str, bool] = {}
        self._warned: set[str] = set()
        self._limit = 0
        self.handlers: dict[type[Event], Callable[[Any], None]] = {
            Settled: self._settled,
            SourceCalled: partial(self._called, "queue"),
            StoreCalled: partial(self._called, "store"),
            StoreLacks: self._store_lacks,
            LeaseLost: self._lease_lost,
            LimitChanged: self._limit_changed,
            Probed: self._probed,
            GateChanged: self._gate_changed,
            ContainerJudged: self._container_judged,
            DrainChanged: self._drain_changed,
            **CredentialsLog(self._log, clock=clock).handlers,
        }

    def __call__(self, event: Event) -> None:
        """Write a line about one event, if it is worth one."""
        handler = self.handlers.get(type(event))
        if handler is not None:
            handler(event)

    def _settled(self, event: Settled) -> None:
        fields: dict[str, Any] = {"request_id": event.ref} if event.ref else {"message_id": event.message_id}
        fields |= {
            "settlement": event.settlement,
            "held_s": round(event.held_s, 6),
            "receive_count": event.receive_count,
        }
        if event.reason:
            fields["reason"] = clip(event.reason)
        self._log.log(_LEVEL.get(event.settlement, logging.WARNING), "message_settled", **fields)

    def _store_lacks(self, event: StoreLacks) -> None:
        self._log.warning("store_feature_missing", feature=event.feature)

    def _lease_lost(self, event: LeaseLost) -> None:
        self._log.warning("lease_lost", message_id=event.message_id, reason=clip(event.reason))

    def _limit_changed(self, event: LimitChanged) -> None:
        # Trials come and go by the minute; what they lead to is of interest.
        if event.settled != self._limit:
            self._limit = event.settled
            self._log.info("concurrency_found", limit=event.settled, reason=event.reason)

    def _called(self, group: str, event: SourceCalled | StoreCalled) -> None:
        # Every other error (a missing object, a refused receipt) is an answer of a service that works.
        if event.error is None and not self._outages and not self._denials:
            return
        now = self._clock()
        outage = self._outages.setdefault(group, _Trouble())
        if event.error == "unavailable":
            if outage.failed(now):
                self._log.warning(f"{group}_unavailable", op=event.op, detail=clip(event.detail))
            return
        self._over(f"{group}_available", outage, now)
        verdict = self._refused.hear(event)
        if verdict is not None and verdict.refused:
            if self._denials.setdefault((group, event.op), _Trouble()).failed(now):
                self._denied(group, verdict, event.detail)
        elif verdict is not None and (group, event.op) in self._denials:
            self._over(f"{group}_allowed", self._denials[group, event.op], now, op=event.op)

    def _denied(self, group: str, verdict: Verdict, detail: str) -> None:
        service, op, code = verdict.service, verdict.op, verdict.code
        self._log.error(
            f"{group}_denied",
            op=op,
            code=clip(canonical(code)),
            permission=permission(service, op, code),
            hint=hint(service, op, code),
            detail=clip(detail),
        )

    def _over(self, line: str, trouble: _Trouble, now: float, **fields: str) -> None:
        over = trouble.over(now)
        if over is not None:
            self._log.info(line, **fields, after_s=round(over[0], 3), failed_calls=over[1])

    def _probed(self, event: Probed) -> None:
        if self._probes.get(event.probe) is not event.healthy:
            # Failing is what every probe does while the container starts.
            level = logging.INFO if event.healthy or event.probe not in self._probes else logging.WARNING
            self._probes[event.probe] = event.healthy
            self._warned.discard(event.probe)
            line = "probe_healthy" if event.healthy else "probe_failing"
            self._log.log(level, line, probe=clip(event.probe), detail=clip(event.detail))
        if event.warning and event.probe not in self._warned:
            self._warned.add(event.probe)
            self._log.warning("probe_warning", probe=clip(event.probe), detail=clip(event.detail))

    def _gate_changed(self, event: GateChanged) -> None:
        self._log.info("container_ready" if event.is_open else "container_not_ready")

    def _container_judged(self, event: ContainerJudged) -> None:
        if not event.looks_like:
            self._log.info("container_hold_ended")
            return
        self._log.error(
            "container_not_http",
            detail=f"looks like {event.looks_like}",
            hint="nothing is received and no request fails until the container serves HTTP/1.1 without TLS; "
            "it is asked again; check DEQUEUER_USER_PORT and DEQUEUER_USER_HOST",
        )

    def _drain_changed(self, event: DrainChanged) -> None:
        level, line = _PHASES[event.phase]
        self._log.log(level, line, in_flight=event.in_flight)
