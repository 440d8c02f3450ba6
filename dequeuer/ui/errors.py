"""What the page is told when something cannot be done: a status, and a text for the person who clicked."""

from __future__ import annotations

import json
from typing import Final

from aiohttp import web

from dequeuer.client.errors import ClientError, GatewayBusyError, GatewayUnavailableError, RequestRefusedError
from dequeuer.core.errors import DequeuerError, clip

MAX_MESSAGE_CHARS: Final = 2000


class UiError(DequeuerError):
    """A request of a page is refused. `status`: of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def ui_error(error: ClientError) -> UiError:
    """Return the error for a page when the gateway has not done what it was asked for."""
    text = str(error)
    if isinstance(error, RequestRefusedError):
        if error.status == 401:  # a page that gets it would ask its user for the token of the page
            return UiError(502, f"the gateway does not accept the token of `dequeuer ui`: {text}")
        return UiError(error.status if 400 <= error.status < 600 else 502, text)
    if isinstance(error, GatewayBusyError):
        return UiError(503, text)
    return UiError(502, f"the gateway is away: {text}" if isinstance(error, GatewayUnavailableError) else text)


def error_response(error: UiError) -> web.Response:
    """Return the response for an error."""
    fields = {"error": {"message": clip(str(error), MAX_MESSAGE_CHARS)}}
    return web.Response(status=error.status, body=json.dumps(fields).encode(), content_type="application/json")
