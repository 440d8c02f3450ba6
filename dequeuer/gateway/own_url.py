"""The address of the gateway, as whoever sent a request reaches it."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")


def own_url(request: web.Request, path: str) -> str:
    """Return the URL of a path. A `Host` that is none is not repeated."""
    host = request.host if _HOST.fullmatch(request.host) else "localhost"
    return f"http://{host}{path}"
