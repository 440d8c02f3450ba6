"""What the credential providers share: one request to a server, and reading the keys in its response."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from dequeuer import __version__
from dequeuer.aws.credentials.renewal import Keys
from dequeuer.core import clock
from dequeuer.core.errors import CredentialsUnavailableError
from dequeuer.http.errors import HttpTransportError
from dequeuer.http.origin import Origin
from dequeuer.http.pool import Pool, Reply

MAX_RESPONSE_BYTES = 64 * 1024
MAX_TOKEN_CHARACTERS = 64 * 1024
"""Size of a token in a file."""
MAX_IGNORED_CLOCK_DIFFERENCE_S = 60.0
"""Smaller differences to the clock of the server are ignored: its `Date` counts whole seconds."""


class CredentialsUrl(NamedTuple):
    """A URL that keys are fetched from: server, and path with query."""

    origin: Origin
    target: str


def parse_url(url: str, tls: ssl.SSLContext) -> CredentialsUrl:
    """Return server and target of a URL. Raises `ValueError` when it is not an http(s) URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an http:// or https:// URL")
    secure = parts.scheme == "https"
    origin = Origin(host=parts.hostname, port=parts.port or (443 if secure else 80), tls=tls if secure else None)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not target.isascii() or not target.isprintable() or " " in target:
        raise ValueError("a path that is not escaped")
    return CredentialsUrl(origin, target)


async def fetch(
    url: CredentialsUrl,
    method: str,
    *,
    timeout_s: float,
    fields: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
) -> Reply:
    """Send one request and return the whole response. The connection is closed: keys are fetched about once an hour.

    Args:
        url: server and target.
        method: in capitals.
        timeout_s: for the connection, for the head of the response, and for each further read.
        fields: besides Host and User-Agent; values without line breaks.
        body: whole.

    Raises:
        HttpTransportError: there is no whole response.
    """
    lines = [
        f"{method} {url.target} HTTP/1.1",
        f"host:{url.origin.authority}",
        f"user-agent:dequeuer/{__version__}",
        *[f"{name}:{value}" for name, value in fields],
    ]
    if body or method in ("PUT", "POST"):
        lines.append(f"content-length:{len(body)}")
    head = "".join(f"{line}\r\n" for line in lines) + "\r\n"
    pool = Pool(url.origin, connect_timeout_s=timeout_s)
    try:
        return await pool.exchange((head.encode(), body), timeout_s=timeout_s, limit=MAX_RESPONSE_BYTES)
    finally:
        await pool.close()


async def fetch_or_unavailable(url: CredentialsUrl, method: str, who: str, **more: object) -> Reply:
    """Like `fetch`, but failures raise `CredentialsUnavailableError`. `who`: begins its text."""
    try:
        return await fetch(url, method, **more)  # type: ignore[arg-type]  # those of `fetch`
    except HttpTransportError as error:
        raise CredentialsUnavailableError(f"{who}: {error}") from error


def read_token(path: Path, variable: str) -> str:
    """Return the token in a file. Blocks while the file is read.

    Raises:
        CredentialsUnavailableError: it cannot be read, or is too large. The error names the variable, and quotes
            nothing.
    """
    try:
        with path.open(encoding="utf-8") as file:
            token = file.read(MAX_TOKEN_CHARACTERS + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise CredentialsUnavailableError(f"{variable} cannot be read: {reason}") from None
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise CredentialsUnavailableError(
            f"{variable} holds no token: it is larger than {MAX_TOKEN_CHARACTERS} characters"
        )
    return token


def server_time(reply: Reply) -> float:
    """Return the present time: by the server's clock if that differs much from ours, as the expiry of its keys does."""
    now = clock.wall()
    try:
        theirs = parsedate_to_datetime(reply.field("date") or "").timestamp()
    except ValueError:
        return now
    return theirs if abs(theirs - now) > MAX_IGNORED_CLOCK_DIFFERENCE_S else now


def instant_of(text: str) -> float:
    """Return an ISO 8601 time as seconds since the epoch; without a time zone it is UTC. Raises `ValueError`."""
    moment = datetime.fromisoformat(text.strip())
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def keys_of(found: Mapping[str, object], names: Sequence[str], now_s: float, who: str) -> Keys:
    """Return the keys of a response.

    Args:
        found: the response's fields.
        names: of the fields with access key, secret key, token and expiry, in this order.
        now_s: present time by the clock of the server, seconds since the epoch.
        who: name of the server, for errors.

    Raises:
        CredentialsUnavailableError: one is missing, or not a text. The error quotes none of them.
    """
    values = [found.get(name) for name in names]
    if missing := [name for name, value in zip(names, values, strict=True) if not isinstance(value, str) or not value]:
        raise CredentialsUnavailableError(f"{who}: a response without {', '.join(missing)}")
    access_key, secret_key, token, expiration = map(str, values)
    try:
        expires_at = instant_of(expiration)
    except ValueError:
        # The text of the error would quote the response, possibly a key.
        raise CredentialsUnavailableError(f"{who}: an expiry that is not a time") from None
    return Keys(
        access_key=access_key,
        secret_key=secret_key,
        token=token,
        expires_at=expires_at,
        lifetime_s=expires_at - now_s,
    )
