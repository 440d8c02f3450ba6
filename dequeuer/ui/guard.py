"""Which requests are let in: of whom the page is, from which page, and with a token where there is one.

Hazard: any page that a person opens can send requests to an address that only this person can reach. A request that
changes something needs a header that such a page cannot send without asking first, which is refused; `Origin` must be
the page's own; and `Host` must be an address of the page, because the name of another site can lead here, too (DNS
rebinding).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final

from aiohttp import hdrs, web

from dequeuer.core.errors import clip
from dequeuer.settings.ui import is_loopback
from dequeuer.ui.errors import UiError

OWN_HEADER: Final = "X-Dequeuer-UI"
OWN_VALUE: Final = "1"
COOKIE: Final = "dequeuer_ui"
COOKIE_AGE_S: Final = 12 * 3600
MAX_TOKEN_CHARS: Final = 512

_UNCHANGING: Final = frozenset({"GET", "HEAD"})
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::[0-9]{1,5})?")
_LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1")


class Hosts:
    """The values of `Host` that are the page's own.

    Args:
        hosts: addresses and names that the server listens on.
        names: further names.
    """

    def __init__(self, hosts: Sequence[str], names: Sequence[str]) -> None:
        self._takes_any_address = any(_is_every_address(host) for host in hosts)
        loopback = _LOOPBACK_NAMES if self._takes_any_address or any(map(is_loopback, hosts)) else ()
        self._names = frozenset(name.lower().rstrip(".") for name in (*hosts, *names, *loopback))

    def has(self, value: str) -> bool:
        """Return whether a value of `Host` is one of them; its port may be that of a tunnel."""
        found = _HOST.fullmatch(value)
        if found is None:
            return False
        name = found[1].strip("[]").lower().rstrip(".")
        # No foreign name leads to a page whose host is an address.
        return name in self._names or (self._takes_any_address and _is_address(name))


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_every_address(host: str) -> bool:
    return _is_address(host) and ip_address(host).is_unspecified


class Login:
    """Knows who has shown the token. `token`: None: nobody needs one.

    The cookie holds a value that follows from the token and a secret of this process: it ends with the process, and
    shows nothing of the token.
    """

    def __init__(self, token: str | None) -> None:
        self._token = token
        self._cookie = hmac.new(secrets.token_bytes(32), (token or "").encode(), hashlib.sha256).hexdigest()

    def admits(self, request: web.Request) -> bool:
        """Return whether a request comes with the token, or with the cookie that was given for it."""
        if self._token is None:
            return True
        scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() == "bearer" and self._is_token(given.strip()):
            return True
        return hmac.compare_digest(request.cookies.get(COOKIE, "").encode(), self._cookie.encode())

    def open(self, given: str, *, is_https: bool) -> web.Response:
        """Return the response that sets the cookie. Raises `UiError`: it is not the token.

        `is_https`: the browser sends the cookie over TLS alone.
        """
        if not self._is_token(given.strip()):
            raise UiError(401, "this is not the token of the page")
        response = web.Response(status=204)
        response.set_cookie(
            *(COOKIE, self._cookie),
            max_age=COOKIE_AGE_S,
            httponly=True,
            samesite="Strict",
            path="/",
            secure=is_https,
        )
        return response

    def _is_token(self, given: str) -> bool:
        # Digests have one length: the time of the comparison tells nothing of the token.
        known = hashlib.sha256((self._token or "").encode()).digest()
        shown = hashlib.sha256(given[:MAX_TOKEN_CHARS].encode()).digest()
        return self._token is not None and hmac.compare_digest(known, shown)


def check_source(request: web.Request, hosts: Hosts) -> None:
    """Raise `UiError` unless a request is for this page, and comes from it or from no page."""
    host = _only(request, hdrs.HOST)
    if not hosts.has(host):
        text = f'"{clip(host, 100)}" is no address of this page: name it in DEQUEUER_UI_NAMES if it is meant to be one'
        raise UiError(403, text)
    if hdrs.ORIGIN in request.headers and _only(request, hdrs.ORIGIN) not in {f"http://{host}", f"https://{host}"}:
        raise UiError(403, "this request comes from the page of another site")
    if request.path.startswith("/api/") and request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}:
        raise UiError(403, "this request comes from the page of another site")
    if request.method not in _UNCHANGING and request.headers.getall(OWN_HEADER, []) != [OWN_VALUE]:
        raise UiError(403, f"a request that changes something needs the header {OWN_HEADER}: {OWN_VALUE}")


def _only(request: web.Request, name: str) -> str:
    given = request.headers.getall(name, [])
    return given[0] if len(given) == 1 else ""
