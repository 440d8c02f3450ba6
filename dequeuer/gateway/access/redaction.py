"""Headers that are left out of what is stored: they open things, and what is stored is read by others."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from dequeuer.formats.headers import Fields

CREDENTIALS: Final = (
    "Authorization",
    "Proxy-Authorization",
    "Cookie",
    "Set-Cookie",
    "X-Api-Key",
    "X-Auth-Token",
    "X-Csrf-Token",
    "X-Amz-Security-Token",
    "X-Amzn-Oidc-Accesstoken",
    "X-Amzn-Oidc-Data",
    "X-Forwarded-Access-Token",
    "X-Goog-Iap-Jwt-Assertion",
)
"""Left out where the gateway has tokens. The last ones are added by proxies that know the users."""
_OWN: Final = "authorization"


class Redaction:
    """Which headers are left out.

    Args:
        names: of the headers that are left out; None: those of `CREDENTIALS` where the gateway has tokens of its own,
            else none, as in Cortex, whose containers get all of them.
        passed: names that are let through after all.
        has_tokens: whether `Authorization` is the gateway's own. Then it is left out, whatever `names` says.
    """

    def __init__(
        self, names: Collection[str] | None = None, passed: Collection[str] = (), *, has_tokens: bool = False
    ) -> None:
        chosen = names if names is not None else CREDENTIALS if has_tokens else ()
        own = {_OWN} if has_tokens else set()
        self._dropped = frozenset({_plain(name) for name in chosen} | own) - {_plain(name) for name in passed}
        self.keeps_token = not has_tokens or _OWN not in self._dropped
        """Whether a RealtimeAPI gets `Authorization`. Its other headers are never left out: nothing is stored."""

    def without(self, headers: Iterable[tuple[str, str]]) -> Fields:
        """Return the headers that may be stored, in their order."""
        return [(name, value) for name, value in headers if _plain(name) not in self._dropped]


def _plain(name: str) -> str:
    # Some servers read "_" as "-": X_Api_Key opens the same.
    return name.lower().replace("_", "-")


NOTHING_REDACTED: Final = Redaction()
