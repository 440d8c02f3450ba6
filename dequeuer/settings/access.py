"""The options that say who may call the gateway, and what is kept of a request."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from dequeuer.settings.option import option, settings_class
from dequeuer.settings.parsers import InvalidValueError, Parser, choice, listed, matching, whole
from dequeuer.settings.text_parsers import PATH

NONE = "none"
ANY_ORIGIN = "*"
_FIELD = "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}"
_FIELD_NAMES = listed(
    matching(_FIELD, "the name of a header"),
    tuple,
    "names of headers, separated by commas; set but empty: none",
    takes_empty=True,
)


def _origins(values: Sequence[str]) -> tuple[str, ...]:
    if ANY_ORIGIN in values and len(values) > 1:
        raise InvalidValueError('"*" stands alone: it allows every origin')
    return tuple(values)


def _rate(match: re.Match[str]) -> float | None:
    number = float(match[0])
    return number if 0 <= number <= 1_000_000 else None


# An origin is compared as text: it must be written as browsers send it, in lower case and without a path.
_ORIGIN = matching(r"\*|[a-z][a-z0-9+.-]{0,30}://[a-z0-9._:\[\]-]{1,253}", "an origin, such as https://app.example.com")
_ORIGINS = listed(
    _ORIGIN,
    _origins,
    "origins such as https://app.example.com, separated by commas, or *; set but empty: none",
    takes_empty=True,
)
_RATE = Parser("requests a second (decimals allowed), from 0 to 1000000", _rate, r"[0-9]{1,7}(?:\.[0-9]{1,6})?")

AuditLog = Literal["auto", "on", "off"]


@settings_class
class AccessSettings:
    """Who may call the gateway."""

    tokens: str | None = option(PATH, "DEQUEUER_TOKENS", default=None, unset="anyone may call, and a warning says so")
    """A file in YAML or JSON with the callers and the hashes of their tokens; it is read again when it changes.
    `none`: anyone may call, without a warning."""
    redacted_headers: tuple[str, ...] | None = option(
        _FIELD_NAMES,
        "DEQUEUER_REDACTED_HEADERS",
        default=None,
        unset="with a file of tokens those that carry credentials (docs/security.md); else none, as in Cortex",
    )
    """Headers of submissions that are not stored, so that containers do not get them."""
    passed_headers: tuple[str, ...] | None = option(_FIELD_NAMES, "DEQUEUER_PASSED_HEADERS", default=None, unset="none")
    """Headers that are stored and forwarded although they are redacted, `Authorization` with the gateway's own tokens
    among them."""
    rate_limit: float = option(_RATE, "DEQUEUER_RATE_LIMIT", default="0")
    """Requests a second of one caller; without tokens, of one client address. More get 429. 0: no limit."""
    rate_burst: int | None = option(
        whole(1, 1_000_000), "DEQUEUER_RATE_BURST", default=None, unset="the requests of one second, at least 1"
    )
    """Requests that one caller may send at once after a pause; needs `DEQUEUER_RATE_LIMIT`."""
    cors_origins: tuple[str, ...] | None = option(
        _ORIGINS,
        "DEQUEUER_CORS_ORIGINS",
        default=None,
        unset="as Cortex's gateway: any origin, few headers",
    )
    """Origins of the web pages that may call the gateway."""
    audit_log: AuditLog = option(choice("auto", "on", "off"), "DEQUEUER_AUDIT_LOG", default="auto")
    """Whether a line is logged for each change and each request that is not let in. auto: with a file of tokens."""

    @property
    def tokens_path(self) -> str | None:
        """The file of tokens; None: anyone may call."""
        return None if self.tokens == NONE else self.tokens

    @property
    def is_audited(self) -> bool:
        """Whether the audit log is written."""
        return self.audit_log == "on" or (self.audit_log == "auto" and self.tokens_path is not None)
