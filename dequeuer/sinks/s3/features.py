"""Features of S3 that a store lacks: detected by its refusal, reported once."""

from __future__ import annotations

from dequeuer.core.events import Feature, Observer, StoreFeatureMissing
from dequeuer.http.pool import Reply
from dequeuer.sinks.s3.errors import code_in

UNSUPPORTED_STATUSES = frozenset({400, 405, 501})
"""Statuses with which stores refuse a header field or an operation that they do not support."""
_CODES = frozenset({"NotImplemented", "MethodNotAllowed", "UnsupportedOperation"})
_MAYBE_CODES = frozenset({"InvalidArgument", "InvalidRequest", "BadRequest", "InvalidHeader", "MissingContentMD5", ""})


class Features:
    """Features that the store of one bucket lacks.

    Args:
        observer: gets one `StoreFeatureMissing` for each.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._lacking: set[Feature] = set()
        self._proven: set[Feature] = set()

    def lacks(self, feature: Feature) -> bool:
        """Return whether the store is known to lack a feature."""
        return feature in self._lacking

    def mark_missing(self, feature: Feature) -> None:
        """Record that the store lacks a feature."""
        if feature not in self._lacking:
            self._lacking.add(feature)
            self._observer(StoreFeatureMissing(feature=feature))

    def is_known(self, feature: Feature) -> bool:
        """Return whether it is known if the store has a feature."""
        return feature in self._lacking or feature in self._proven

    def mark_supported(self, feature: Feature) -> None:
        """Record that the store has a feature."""
        self._proven.add(feature)


def means_unsupported(status: int, code: str) -> bool:
    """Return whether a refusal means that a feature of the request is not supported."""
    return status == 501 or (status in UNSUPPORTED_STATUSES and code in _CODES)


def may_mean_unsupported(status: int, code: str) -> bool:
    """Return whether a refusal can mean an unsupported header field. A request without it gives the proof."""
    return means_unsupported(status, code) or (status == 400 and code in _MAYBE_CODES)


def is_unsupported(reply: Reply) -> bool:
    """Return whether a refusal means that a feature of the request is not supported."""
    return means_unsupported(reply.status, code_in(reply.body))


def may_be_unsupported(reply: Reply) -> bool:
    """Return whether a refusal can mean an unsupported header field. A request without it gives the proof."""
    return may_mean_unsupported(reply.status, code_in(reply.body))
