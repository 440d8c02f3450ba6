"""The refusals of SQS and S3, as AWS sends them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Final, Literal

from dequeuer.dev.chaos_plan import Episode, Service

_CODES: Final[dict[tuple[Service, Literal["throttling", "errors"]], tuple[tuple[int, str], ...]]] = {
    ("SQS", "throttling"): ((400, "RequestThrottled"),),
    ("SQS", "errors"): ((500, "InternalFailure"), (503, "ServiceUnavailable")),
    ("S3", "throttling"): ((503, "SlowDown"),),
    ("S3", "errors"): ((500, "InternalError"), (503, "ServiceUnavailable")),
}
MESSAGE: Final = "refused by dequeuer dev --chaos"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An answer instead of that of the service, which gets no request."""

    status: int
    content_type: str
    body: str


class AwsFaults:
    """What is wrong with SQS and S3 at the moment.

    Args:
        chance: decides which calls are refused.
    """

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._episodes: list[Episode] = []

    def begin(self, episode: Episode) -> None:
        """Let calls fare as it says, until `end`."""
        self._episodes.append(episode)

    def end(self, episode: Episode) -> None:
        """End it."""
        self._episodes.remove(episode)

    def delay_s(self, service: Service) -> float:
        """Return how long a call is held back."""
        return sum(episode.delay_s for episode in self._episodes if episode.service == service)

    def refuse(self, service: Service, content_type: str) -> Refusal | None:
        """Decide on a call. `content_type`: of the request, which says what form of answer the client reads."""
        for episode in self._episodes:
            if episode.service == service and episode.kind != "slow-s3" and self._chance.random() < episode.share:
                kind: Literal["throttling", "errors"] = "throttling" if episode.kind == "throttling" else "errors"
                status, code = self._chance.choice(_CODES[service, kind])
                return _refusal(service, status, code, content_type)
        return None


def _refusal(service: Service, status: int, code: str, content_type: str) -> Refusal:
    if service == "SQS" and "json" in content_type:
        body = json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": MESSAGE})
        return Refusal(status=status, content_type="application/x-amz-json-1.0", body=body)
    error = f"<Error><Code>{code}</Code><Message>{MESSAGE}</Message></Error>"
    if service == "SQS":  # clients from before 2023
        error = f"<ErrorResponse>{error}</ErrorResponse>"
    return Refusal(status=status, content_type="application/xml", body=error)
