"""Why the gateway does not do what a client asked, named for the kind of answer that follows.

The text of each goes to the client: it names what was wrong and what to do, and holds no secret.
"""

from __future__ import annotations

from dequeuer.core.errors import DequeuerError


class RefusedError(DequeuerError):
    """Base of everything that a client is told."""


class InvalidRequestError(RefusedError):
    """The request is wrong as it is; the same one will never work."""


class UnknownApiError(RefusedError):
    """The gateway does not serve this API."""


class UnknownRequestError(RefusedError):
    """No request of this id is known."""


class PayloadTooLargeError(RefusedError):
    """The payload is larger than `max_payload_bytes`."""


class HeadersTooLargeError(RefusedError):
    """The sidecar would refuse headers of that size, when it is too late to tell the client."""


class UploadStalledError(RefusedError):
    """The client stopped sending in the middle of the payload."""


class UploadBrokenError(RefusedError):
    """The client is gone, or its body is malformed: nobody reads the answer."""


class BusyError(RefusedError):
    """The store or the queue did not take the call, or too much is under way: try again."""
