"""The queues of an API beside its own, each with the name of its priority."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from dequeuer.core.errors import clip, quoted
from dequeuer.settings.parsers import InvalidValueError, Parser, listed
from dequeuer.settings.text_parsers import NAME, queue_of_api
from dequeuer.settings.weighted_queues import MAX_QUEUES

PRIORITY: Final = "[a-z0-9][a-z0-9_-]{0,31}"
MAX_PRIORITIES: Final = MAX_QUEUES - 1
"""Of an API: its sidecars serve these queues and its own."""
_FORM: Final = 'a-z, 0-9, "_" and "-", at most 32'


class _PriorityQueue(NamedTuple):
    api_name: str
    priority: str
    url: str


def _priority_queue(match: re.Match[str]) -> _PriorityQueue:
    named = re.fullmatch(rf"({NAME.pattern})/({PRIORITY})\s*=\s*(.*)", match[0], re.DOTALL)
    if named is None:
        raise InvalidValueError(f'{quoted(match[0])} does not begin with an API\'s name, "/", a priority and "="')
    return _PriorityQueue(named[1], named[2], queue_of_api(named[3]))


def _by_api(queues: Sequence[_PriorityQueue]) -> Mapping[str, Mapping[str, str]]:
    for (api_name, priority), count in Counter((one.api_name, one.priority) for one in queues).items():
        if count > 1:
            raise InvalidValueError(f"{clip(api_name)}/{priority} is there {count} times")
    for api_name, count in Counter(one.api_name for one in queues).items():
        if count > MAX_PRIORITIES:
            raise InvalidValueError(f"API {clip(api_name)} has {count} priorities")
    by_api: dict[str, dict[str, str]] = {}
    for one in queues:
        by_api.setdefault(one.api_name, {})[one.priority] = one.url
    return MappingProxyType({api_name: MappingProxyType(urls) for api_name, urls in by_api.items()})


PRIORITY_QUEUES = listed(
    Parser("name/priority=URL of its queue", _priority_queue),
    _by_api,
    f"name/priority=URL of its queue, separated by commas; a priority is {_FORM}; none twice, at most {MAX_PRIORITIES} "
    "for an API",
)


def all_queue_urls(own: Mapping[str, str], by_priority: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """Return the URLs of all queues of APIs."""
    return (*own.values(), *(url for urls in by_priority.values() for url in urls.values()))
