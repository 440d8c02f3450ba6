"""Events of TrafficSplitters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CopyResult = Literal["responded", "unreachable", "broken", "slow", "timeout", "incomplete", "too_many"]
"""broken: no whole response. slow: the shadow reads a body more slowly than it comes. incomplete: the request itself
ended before its body was whole, or the process stopped. too_many: others are under way, and none was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSplit:
    """A request is for one of the APIs of a splitter.

    Attributes:
        splitter: its name.
        api_name: of the API that gets the request.
    """

    splitter: str
    api_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyEnded:
    """Nothing more is done for a copy of a request.

    Attributes:
        splitter: the name of the splitter.
        api_name: of its shadow.
        result: how it ended; a metric label.
    """

    splitter: str
    api_name: str
    result: CopyResult
