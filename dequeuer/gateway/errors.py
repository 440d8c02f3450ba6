"""Errors of the gateway, named for the HTTP response that follows.

Hazard: the text of each error is sent to the client. It names the fault and what to do, and contains no secret.
"""

from __future__ import annotations

from dequeuer.core.errors import DequeuerError


class GatewayError(DequeuerError):
    """Base of all errors whose text is sent to the client."""


class InvalidRequestError(GatewayError):
    """The request is malformed; sending the same one again will fail again."""


class UnknownApiError(GatewayError):
    """The gateway does not serve this API."""


class UnknownRequestError(GatewayError):
    """No request with this id is known."""


class PayloadTooLargeError(GatewayError):
    """The payload is larger than `max_payload_bytes`."""


class HeadersTooLargeError(GatewayError):
    """The headers are larger than the sidecar accepts. Later, the sidecar could no longer tell the client."""


class UploadStalledError(GatewayError):
    """The client stopped sending in the middle of the payload."""


class UploadBrokenError(GatewayError):
    """The client disconnected or its payload is malformed. Usually no one reads the response."""


class BusyError(GatewayError):
    """The store or the queue is not available, or too many uploads are in progress. The client can try again."""


class StoreRefusesError(BusyError):
    """The store refuses the gateway. Somebody has to change its bucket or permissions: a client waits in vain."""
