"""The options of the page about the APIs of a gateway."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dequeuer.core.errors import quoted
from dequeuer.settings.option import group, option, settings_class
from dequeuer.settings.parsers import InvalidValueError, Parser, listed, whole
from dequeuer.settings.shared import LogSettings
from dequeuer.settings.text_parsers import HOST, HOSTS, NAME, PATH, URL

MAX_METRICS: Final = 100
"""Addresses of metrics. Each is read once a second while somebody looks at the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsAddress:
    """Where a program shows its metrics. `api_name`: whose they are; "": their labels say it."""

    api_name: str
    url: str


def _metrics_address(match: re.Match[str]) -> MetricsAddress:
    name, url = match[1] or "", match[2]
    if name:
        NAME.read(name)
    try:
        return MetricsAddress(api_name=name, url=URL.read(url))
    except InvalidValueError:
        raise InvalidValueError(f"{quoted(url)} is not a URL") from None


def _bounded(addresses: Sequence[MetricsAddress]) -> tuple[MetricsAddress, ...]:
    if len(addresses) > MAX_METRICS:
        raise InvalidValueError(f"there are {len(addresses)}, and {MAX_METRICS} are allowed")
    return tuple(addresses)


_METRICS: Final = listed(
    Parser(
        "name=URL, or the URL alone",
        _metrics_address,
        r"(?:([A-Za-z0-9._-]{1,128})=)?((?:https?)://.*)",
    ),
    _bounded,
    f"name=URL for each sidecar and proxy, a URL alone for a gateway; separated by commas, at most {MAX_METRICS}",
)
_NAMES: Final = listed(HOST, tuple, "host names, separated by commas")


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@settings_class
class UiSettings:
    """A page about the APIs of a gateway, for a browser: queues, requests and jobs, live.

    Usage:
      dequeuer ui --gateway URL [flags]
    """

    gateway_url: str = option(URL, "DEQUEUER_GATEWAY_URL", flag="gateway", required_for=("ui",))
    """Address of the gateway, such as `http://127.0.0.1:8888`."""
    gateway_token_path: str | None = option(PATH, "DEQUEUER_TOKEN_FILE", default=None, unset="none is sent")
    """A file with the token for the gateway, where it has tokens. The page does not get it."""
    metrics: tuple[MetricsAddress, ...] = option(
        _METRICS,
        "DEQUEUER_UI_METRICS",
        flag="metrics",
        unset="none: throughput, latency and what is in flight are not known",
    )
    """Where the programs of the APIs show their metrics, such as `text=http://127.0.0.1:15000/metrics`. A name may be
    there for each of its pods. Those of a gateway need no name."""
    hosts: tuple[str, ...] = option(HOSTS, "DEQUEUER_UI_HOST", default="127.0.0.1")
    """Addresses that the page is served at. Others than those of this machine alone need `DEQUEUER_UI_TOKEN_FILE`."""
    port: int = option(whole(0, 65535, "a port"), "DEQUEUER_UI_PORT", flag="port", default="8090")
    """Port of the page; 0 takes any free one."""
    names: tuple[str, ...] = option(_NAMES, "DEQUEUER_UI_NAMES", unset="none")
    """Host names by which browsers reach the page, besides its addresses and `localhost`. Requests with other names
    are refused: a page of another site could have made them."""
    token_path: str | None = option(
        PATH, "DEQUEUER_UI_TOKEN_FILE", flag="token-file", default=None, unset="none needed"
    )
    """A file with the token that people need to see the page. `dequeuer token` makes one."""
    log: LogSettings = group(LogSettings)
