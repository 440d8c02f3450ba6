"""How log lines are written: as JSON or for a terminal, including the records of other libraries."""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from dequeuer.core.errors import clip
from dequeuer.process.standard_streams import BestEffortStream

MAX_MESSAGE_CHARS = 1024
"""For the message of another library; the rest is cut off."""
MAX_TRACEBACK_CHARS = 8192
"""The last characters of a traceback are kept: they say most about the cause."""

Level = Literal["debug", "info", "warning", "error", "critical"]


def configure(level: Level, log_format: Literal["json", "console"]) -> None:
    """Configure logging for the whole process. A logger that was used before keeps its old configuration.

    Records and warnings of other libraries and of Python are written in the same form, from WARNING on. Hazard: at
    lower levels botocore logs signatures and whole requests.
    """
    last: list[Processor]
    if log_format == "json":
        last = [structlog.processors.format_exc_info, _cut_traceback, _render_json]
    else:
        colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        # The default formatters print local variables, which hold payloads and credentials.
        plain = structlog.dev.plain_traceback
        last = [structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plain)]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(BestEffortStream(sys.stdout)),  # type: ignore[arg-type]  # only write and flush are called
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _ForwardToStructlog)]:
        root.removeHandler(handler)
    root.addHandler(_ForwardToStructlog(logging.WARNING))
    root.setLevel(logging.WARNING)
    for name in ("botocore", "aiobotocore", "aiohttp", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)


class _ForwardToStructlog(logging.Handler):
    """Forwards records of the standard library's logging to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - the caller passed wrong arguments; the line still names its logger
            text = str(record.msg)
        # structlog knows only the five usual levels. This handler receives nothing below WARNING.
        level = min(record.levelno // 10 * 10, logging.CRITICAL)
        try:
            structlog.get_logger().log(
                level, clip(text, MAX_MESSAGE_CHARS), logger=record.name, exc_info=record.exc_info
            )
        except Exception:  # noqa: BLE001 - a closed stdout must not raise in the library that logs
            self.handleError(record)


# One encoder for all lines: json.dumps would create one a call as soon as it gets an option.
_encode = json.JSONEncoder(default=lambda value: clip(repr(value)), check_circular=False).encode


def _render_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    first = {"timestamp": event.pop("timestamp"), "level": event.pop("level"), "event": event.pop("event")}
    return _encode(first | dict(event))


def _cut_traceback(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if len(event.get("exception", "")) > MAX_TRACEBACK_CHARS:
        event["exception"] = "..." + event["exception"][-MAX_TRACEBACK_CHARS:]
    return event
