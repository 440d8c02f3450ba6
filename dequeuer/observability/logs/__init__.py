"""Logs: one JSON object a line on stdout. `setup` says how a line is written, the other modules which lines there are.

Where a log line comes from:

1. Layers (everything but the programs) write no log lines. They emit events (`core/events.py`); the modules here turn
   events into lines: `messages`, `services`, `container`, `credentials`, `pod`. `event_log` has the list for each
   program.
2. A program (`sidecar/`, `gateway/`) logs what it does itself: start, stop, settings that it chose, its own HTTP
   requests.
3. A bug is logged with its traceback by the standard library's `logging`, where it is caught. Such records, and those
   of other libraries, are written by `setup` as lines of the same form, from WARNING on.
"""

from dequeuer.observability.logs.event_log import (
    EventLog,
    controller_event_log,
    gateway_event_log,
    proxy_event_log,
    sidecar_event_log,
    webhooks_event_log,
)
from dequeuer.observability.logs.setup import configure

__all__ = [
    "EventLog",
    "configure",
    "controller_event_log",
    "gateway_event_log",
    "proxy_event_log",
    "sidecar_event_log",
    "webhooks_event_log",
]
