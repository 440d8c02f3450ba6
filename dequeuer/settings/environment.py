"""The environment: unknown variables of ours, and those that Kubernetes puts there by itself.

For a Service named `dequeuer` or `dequeuer-...` every container of the namespace finds "service links"
(kubernetes/pkg/kubelet/envvars) in its environment, which look like settings and are none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from dequeuer.core.errors import clip
from dequeuer.settings.nearest import did_you_mean

PREFIX = "DEQUEUER_"
MOST_GUESSES = 20
"""Guessing is slow, and an environment may hold thousands of names."""

_LINK = re.compile(
    r"DEQUEUER_(?:[A-Z0-9_]+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)\Z"
)
_PORT_LINK = re.compile(r"(?:DEQUEUER|CORTEX)_(?:[A-Z0-9_]+_)?PORT\Z")
_PORT_LINK_VALUE = re.compile(r"(?:tcp|udp|sctp)://")


def is_service_link(name: str, value: str) -> bool:
    """Tell whether Kubernetes made the variable.

    `DEQUEUER_ADMIN_PORT` is both a setting and the link of a Service named `dequeuer-admin`: its value tells.
    So does that of an unknown name, as otherwise the typing mistake `DEQUEUER_USR_PORT=8080` would pass.
    """
    if _LINK.match(name) is not None:
        return True
    return _PORT_LINK.match(name) is not None and _PORT_LINK_VALUE.match(value.strip()) is not None


def unknown_variables(environ: Mapping[str, str], known: Collection[str]) -> list[str]:
    """Return a fault for each variable that begins like ours and is none, also for one that is empty."""
    strangers = sorted(
        name
        for name, value in environ.items()
        if name.startswith(PREFIX) and name not in known and not is_service_link(name, value)
    )
    # The value is not repeated: it may be a secret.
    return [
        f"{clip(name)}: unknown variable{did_you_mean(name, known) if at < MOST_GUESSES else ''}; correct or remove it"
        for at, name in enumerate(strangers)
    ]
