"""The client of a gateway, for programs: requests, jobs, and calls of realtime APIs."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Final, Self, TypedDict, Unpack

from dequeuer.client.gateway import MAX_CONNECTIONS, Gateway, open_gateway
from dequeuer.client.job_calls import JobCalls, Kind
from dequeuer.client.jobs import ApiJobs
from dequeuer.client.realtime import CallOptions, RealtimeResponse, make_call, send_call
from dequeuer.client.request_calls import MAX_RESULT_BYTES, RequestCalls
from dequeuer.client.requests import ApiRequests
from dequeuer.client.retrying import RETRY_LIMIT_S, Retries
from dequeuer.client.token import read_token
from dequeuer.settings.client_loading import load_requests_command

_VARIABLES: Final = ("DEQUEUER_GATEWAY_URL", "DEQUEUER_TOKEN_FILE")


class ClientOptions(TypedDict, total=False):
    """What a client may be given beside the address; see `Client`."""

    token: str | None
    retry_limit_s: float
    retry_limit_from_begin: bool
    max_result_bytes: int
    max_connections: int


class Client:
    """A context: `async with Client("http://127.0.0.1:8888") as client:`. It is for one event loop.

    Args:
        url: of the gateway; None: `DEQUEUER_GATEWAY_URL`.
        token: of the caller. None: that in the file that `DEQUEUER_TOKEN_FILE` names; without it none is sent.
        retry_limit_s: how long calls are made again while the gateway cannot be used, seconds; 0: each is made once.
        retry_limit_from_begin: whether that time begins with each call; else when the call fails first.
        max_result_bytes: a larger result is not read.
        max_connections: at the same time; further calls wait for one.

    Raises:
        ConfigurationError: there is no address, it is not valid, or the file holds no token.
        ValueError: a limit is not allowed.
    """

    def __init__(  # noqa: PLR0913 - each of them is left out mostly
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        retry_limit_s: float = RETRY_LIMIT_S,
        retry_limit_from_begin: bool = False,
        max_result_bytes: int = MAX_RESULT_BYTES,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        if not retry_limit_s >= 0:
            raise ValueError(f"retry_limit_s is {retry_limit_s:g}; allowed: seconds, 0 or more")
        for name, limit in (("max_result_bytes", max_result_bytes), ("max_connections", max_connections)):
            if limit < 1:
                raise ValueError(f"{name} is {limit}; allowed: 1 or more")
        flags = [] if url is None else [f"--gateway={url}"]
        # Other variables are those of the program around.
        given = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
        settings = load_requests_command(flags, given)
        self._url = settings.gateway_url
        if token is None and settings.token_path is not None:
            token = read_token(settings.token_path)
        self._token = token
        self._max_result_bytes = max_result_bytes
        self._max_connections = max_connections
        self._retries = Retries(retry_limit_s, from_begin=retry_limit_from_begin)
        self._stack = AsyncExitStack()
        self._opened: Gateway | None = None

    async def __aenter__(self) -> Self:
        opening = open_gateway(self._url, self._token, max_connections=self._max_connections)
        self._opened = await self._stack.enter_async_context(opening)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened = None
        await self._stack.aclose()

    def api(self, name: str) -> ApiRequests:
        """Return the requests of an async API. Raises `ValueError` for what is no name."""
        return ApiRequests(RequestCalls(self._gateway, name, self._max_result_bytes), self._retries)

    def jobs(self, name: str, kind: Kind | None = None) -> ApiJobs:
        """Return the jobs of a batch or task API. `kind`: None: the gateway is asked."""
        calls = JobCalls(self._gateway, name, kind, on_answer=self._retries.note_answer)
        return ApiJobs(calls, self._retries)

    async def call(
        self, api: str, path: str = "", body: bytes | Any = None, **options: Unpack[CallOptions]
    ) -> RealtimeResponse:
        """Call a realtime API; return its response, whatever its status is. Options: `CallOptions`.

        It is called once: again only when no connection could be made.

        Args:
            api: its endpoint, which is its name if it has no other one.
            path: below the endpoint, such as `/predict?top=3`.
            body: bytes are sent as they are, any other value as JSON; None: there is none.
        """
        prepared = make_call(api, path, body, **options)
        return await self._retries.call_once(send_call, self._gateway, prepared, self._max_result_bytes)

    @property
    def _gateway(self) -> Gateway:
        if self._opened is None:
            raise RuntimeError("the client is closed, or not open yet: use it in its `with`")
        return self._opened
