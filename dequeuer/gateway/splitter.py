"""A TrafficSplitter: each request to exactly its endpoint is for one of its APIs, by weight; a shadow gets copies."""

from __future__ import annotations

from functools import partial
from random import Random

from aiohttp import web

from dequeuer.core.events import Observer, RequestSplit
from dequeuer.gateway.copies import Copies
from dequeuer.gateway.endpoints import Split, Target
from dequeuer.gateway.realtime import Forwarder


class Splitter:
    """Divides the requests of one splitter.

    Args:
        name: of the splitter.
        split: its APIs.
        forwarder: forwards the requests.
        copies: sends the copies.
        observe: told which API each request is for.
        random: chooses.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what a request goes through
        self, name: str, split: Split, forwarder: Forwarder, copies: Copies, observe: Observer, random: Random
    ) -> None:
        self._name = name
        self._split = split
        self._forwarder = forwarder
        self._copies = copies
        self._observe = observe
        self._random = random

    async def forward(self, request: web.Request) -> web.StreamResponse:
        """Forward a request to one of the APIs, whatever becomes of it there: nothing is sent to two."""
        target = choose(self._split, self._random)
        self._observe(RequestSplit(splitter=self._name, api_name=target.api.api_name))
        shadow, begin = self._split.shadow, None
        if shadow is not None and self._random.random() * 100 < shadow.weight:
            begin = partial(self._copies.begin, self._name, shadow)
        return await self._forwarder.forward(target.api, target.address, request, begin)


def choose(split: Split, random: Random) -> Target:
    """Return the API that gets a request."""
    (target,) = random.choices(split.targets, [one.weight for one in split.targets])
    return target
