"""Reads Prometheus' text format: only the families that the page shows, line by line, within bounds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

MAX_SAMPLES: Final = 10_000
MAX_VALUE: Final = 1e15
"""Of a sample. Sums of larger ones could become infinite, and no page reads such JSON."""
FAMILIES: Final = (
    *("dequeuer_messages_total", "dequeuer_message_held_seconds_bucket", "dequeuer_in_flight", "dequeuer_ready"),
    *("dequeuer_proxy_requests_total", "dequeuer_proxy_request_seconds_bucket"),
    *("dequeuer_proxy_executing", "dequeuer_proxy_queued", "dequeuer_gateway_api_requests_total"),
)

# Both go through a line once, whatever it holds: no part is read again from its middle, or in another way.
_LINE: Final = re.compile(
    r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*+)"
    r'(?:\{(?P<labels>(?:[^"}]|"(?:[^"\\]|\\.)*+")*+)\})?'
    r"[ \t]++(?P<value>[^ \t]++)(?:[ \t]++-?[0-9]++)?"
)
_LABEL: Final = re.compile(r'(?<![a-zA-Z0-9_])([a-zA-Z_][a-zA-Z0-9_]*+)="((?:[^"\\]|\\.)*+)"')
_ESCAPE: Final = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A number of a family, with its labels."""

    name: str
    labels: Mapping[str, str]
    value: float


def samples_of(text: str) -> Iterator[Sample]:
    """Yield the samples of the families that are shown. Lines of another form are passed over."""
    count = 0
    for line in text.split("\n"):
        if not line.startswith(FAMILIES):
            continue
        found = _LINE.fullmatch(line.rstrip("\r \t"))
        if found is None or found["name"] not in FAMILIES:
            continue
        value = _number(found["value"])
        if value is None:
            continue
        labels = {name: _ESCAPE.sub(_unescaped, value) for name, value in _LABEL.findall(found["labels"] or "")}
        yield Sample(name=found["name"], labels=labels, value=value)
        count += 1
        if count >= MAX_SAMPLES:
            return


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= MAX_VALUE else None


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]
