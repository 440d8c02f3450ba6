"""The files that the settings of gateway and webhooks name. That they can be read was checked with the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dequeuer.check.finding import CheckId, Finding, Verdict, ok, warning
from dequeuer.check.plan import FileFacts
from dequeuer.core.errors import clip
from dequeuer.core.plurals import counted

_IDS: Final[Mapping[str, CheckId]] = {
    "apis": "gateway.apis",
    "tokens": "gateway.tokens",
    "keys": "webhooks.keys",
}
_NOUNS: Final[Mapping[str, str]] = {"apis": "API", "tokens": "caller", "keys": "key"}


def judge_file(facts: FileFacts) -> Finding:
    """Return the finding about one file."""
    return Finding(id=_IDS[facts.what], subject="", verdict=_judge(facts))


def _judge(facts: FileFacts) -> Verdict:
    if facts.count is not None:
        text = f"{clip(facts.path or '')}: {counted(facts.count, _NOUNS[facts.what])}"
        return ok(text) if facts.count else warning(text, "nobody is in the file: add what is missing")
    if facts.what == "apis":
        return ok("DEQUEUER_APIS is not set: APIs are those of DEQUEUER_QUEUES")
    if facts.what == "keys":
        return warning(
            "webhooks are not signed (DEQUEUER_WEBHOOK_UNSIGNED)",
            "receivers cannot tell who has sent them: name a file with keys in DEQUEUER_WEBHOOK_KEYS",
        )
    if facts.is_refused:
        return ok("DEQUEUER_TOKENS is none: anyone may call, as was asked for")
    return warning(
        "DEQUEUER_TOKENS is not set: anyone who reaches the gateway may call it",
        "name a file of tokens (dequeuer token makes one), or set DEQUEUER_TOKENS to none where a proxy checks callers",
    )
