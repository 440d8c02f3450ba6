"""Unknown variables that begin with `DEQUEUER_`, and those among them that Kubernetes sets.

For a Service named `dequeuer` or `dequeuer-...` Kubernetes sets variables in every container of the namespace
("service links", kubernetes/pkg/kubelet/envvars). They look like options.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from dequeuer.core.errors import clip
from dequeuer.core.suggestions import did_you_mean

PREFIX = "DEQUEUER_"
MAX_SUGGESTIONS = 20
"""Finding a similar name is slow, and an environment may hold thousands of names."""

_LINK = (
    r"DEQUEUER_(?:[A-Z0-9_]+_)?"
    r"(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)="
    r"|(?:DEQUEUER|CORTEX)_(?:[A-Z0-9_]+_)?PORT=\s*(?:tcp|udp|sctp)://"
)


def is_service_link(name: str, value: str) -> bool:
    """Return whether Kubernetes set the variable.

    `DEQUEUER_ADMIN_PORT` is an option and a link of a Service named `dequeuer-admin`: the value decides which.
    The value also decides for unknown names: the typing mistake `DEQUEUER_USR_PORT=8080` must not pass as a link.
    """
    return re.match(_LINK, f"{name}={value}") is not None


def unknown_variables(environ: Mapping[str, str], known: Collection[str]) -> list[str]:
    """Return a fault for each variable that begins with `DEQUEUER_` and is unknown, even if it is empty."""
    unknown = sorted(name for name in environ.keys() - known if name.startswith(PREFIX))
    unknown = [name for name in unknown if not is_service_link(name, environ[name])]
    # The value is not repeated: it may be a secret.
    return [
        f"{clip(name)}: unknown variable{_suggestion(name, known) if at < MAX_SUGGESTIONS else ''}; "
        "correct or remove it"
        for at, name in enumerate(unknown)
    ]


def _suggestion(name: str, known: Collection[str]) -> str:
    # The words in another order: a short name can have more letters in the same order.
    words = sorted(name.split("_"))
    return did_you_mean(name, [one for one in known if sorted(one.split("_")) == words] or known)
