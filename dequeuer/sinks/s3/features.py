"""What a store that speaks S3's protocol turned out not to support. Found out by a refusal, reported once."""

from __future__ import annotations

from dequeuer.core.events import Feature, Observer, StoreFeatureMissing
from dequeuer.http.pool import Reply
from dequeuer.sinks.s3.errors import code_in

UNSUPPORTED_STATUSES = frozenset({400, 405, 501})
"""Statuses by which stores say that they do not know a header or an operation."""
_CODES = frozenset({"NotImplemented", "MethodNotAllowed", "UnsupportedOperation"})
_MAYBE_CODES = frozenset({"InvalidArgument", "InvalidRequest", "BadRequest", "InvalidHeader", "MissingContentMD5", ""})


class Features:
    """The features that one bucket's store lacks.

    Args:
        observer: gets one `StoreFeatureMissing` for each.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._lacking: set[Feature] = set()
        self._proven: set[Feature] = set()

    def lacks(self, feature: Feature) -> bool:
        """Tell whether the store is known to lack it."""
        return feature in self._lacking

    def mark_missing(self, feature: Feature) -> None:
        """Remember that the store lacks it."""
        if feature not in self._lacking:
            self._lacking.add(feature)
            self._observer(StoreFeatureMissing(feature=feature))

    def is_known(self, feature: Feature) -> bool:
        """Tell whether it was found out."""
        return feature in self._lacking or feature in self._proven

    def mark_supported(self, feature: Feature) -> None:
        """Remember that the store has it."""
        self._proven.add(feature)


def means_unsupported(status: int, code: str) -> bool:
    """Tell whether a refusal says that something of the request is not implemented."""
    return status == 501 or (status in UNSUPPORTED_STATUSES and code in _CODES)


def may_mean_unsupported(status: int, code: str) -> bool:
    """Tell whether a refusal may mean a header that is not known: another try without it shows."""
    return means_unsupported(status, code) or (status == 400 and code in _MAYBE_CODES)


def is_unsupported(reply: Reply) -> bool:
    """Tell whether a refusal says that something of the request is not implemented."""
    return means_unsupported(reply.status, code_in(reply.body))


def may_be_unsupported(reply: Reply) -> bool:
    """Tell whether a refusal may mean a header that is not known: another try without it shows."""
    return may_mean_unsupported(reply.status, code_in(reply.body))
