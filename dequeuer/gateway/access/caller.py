"""A caller of the gateway: what its tokens allow, and the name that a request carries once it is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from aiohttp import web

Permission = Literal["submit", "read", "control"]
"""submit: requests and jobs, and every request to a RealtimeAPI. read: status, results, events, lists. control: cancel
requests; stop, pause and resume jobs."""
PERMISSIONS: Final[tuple[Permission, ...]] = get_args(Permission)
ANY_API: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How many requests are accepted.

    Attributes:
        per_second: on average.
        burst: at once, after a pause; at least 1.
    """

    per_second: float
    burst: int


def rate_of(per_second: float, burst: int | None) -> Rate:
    """Return a rate. `burst`: None: what a second brings, at least one request."""
    return Rate(per_second=per_second, burst=burst if burst is not None else max(1, round(per_second)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An entry of the file of tokens.

    Attributes:
        name: unique in the file.
        digests: SHA-256 of each of its tokens.
        apis: names of APIs; `ANY_API` among them: every API.
        may: what it may do with them.
        rate: its own; None: the one of the settings.
        max_bytes: of a body that it sends; None: no limit of its own.
    """

    name: str
    digests: tuple[bytes, ...]
    apis: frozenset[str]
    may: frozenset[Permission]
    rate: Rate | None
    max_bytes: int | None = None

    def allows(self, api_name: str, permission: Permission) -> bool:
        """Return whether it may do this with an API."""
        return permission in self.may and (ANY_API in self.apis or api_name in self.apis)


_CALLER: Final = web.RequestKey("dequeuer_caller", Caller)


def set_caller(request: web.Request, caller: Caller) -> None:
    """Note who sent a request."""
    request[_CALLER] = caller


def caller_of(request: web.Request) -> Caller | None:
    """Return who sent a request; None when callers are not told apart. It never comes from what the client claims."""
    caller: Caller | None = request.get(_CALLER)
    return caller


def caller_name(request: web.Request) -> str:
    """Return the name of who sent a request; "" when callers are not told apart."""
    caller = caller_of(request)
    return caller.name if caller is not None else ""


def may_see(request: web.Request, api_name: str) -> bool:
    """Return whether whoever sent a request may know of an API; anyone may where callers are not told apart."""
    caller = caller_of(request)
    return caller is None or any(caller.allows(api_name, permission) for permission in PERMISSIONS)
