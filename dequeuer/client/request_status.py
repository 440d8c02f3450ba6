"""The status of a request, as a client sees it. Whatever a server sends, a field has the type that is said here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from dequeuer.client.errors import InvalidAnswerError
from dequeuer.client.fields import moment_of, object_of, objects_of, real_of, text_of, whole_of
from dequeuer.core.errors import InvalidResponseError
from dequeuer.formats.go_json import decode_object
from dequeuer.formats.json_spans import members, value_start
from dequeuer.formats.json_text import JsonValidator
from dequeuer.formats.request_id import is_request_id

MAX_ATTEMPTS: Final = 100
"""That are read of one status. The gateway sends at most 21."""
ENDED_STATES: Final = frozenset({"completed", "failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt at a request. Texts that are not known are "".

    Attributes:
        began: when the request was sent to the container; None: not known.
        ended: None: not known.
        worker: the name of the pod.
        outcome: `completed`, `failed`, or why it was tried again.
        code: why it failed, for programs.
        reason: the same, for people.
        status_code: of the container's response; None: there was none, or not known.
    """

    began: datetime | None = None
    ended: datetime | None = None
    worker: str = ""
    outcome: str = ""
    code: str = ""
    reason: str = ""
    status_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestProgress:
    """What the container has reported last. `share`: of the work that is done, 0 to 1; None: not said."""

    share: float | None = None
    message: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFailure:
    """Why a request failed. `code`: for programs, "" when it has none; `message`: for people.

    `status_code`: of the container's response; None: there was none.
    """

    code: str = ""
    message: str = ""
    status_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestStatus:
    """What the gateway says of a request.

    Attributes:
        fields: all of it but the result, for programs. Numbers keep their text (`formats.go_json.Number`).
        id: of the request.
        state: `in_queue`, `in_progress`, `completed` or `failed`, or a word that this version does not know.
        created: when it was submitted; None: not known.
        started: only of work that took a second or longer.
        ended: None: it has not ended, or not known.
        cancel_requested: when its cancellation was asked for; None: it was not, or the request has ended.
        attempts: oldest first; none in lists.
        progress: None: nothing was reported, or the request has ended.
        error: why it failed; None: it did not, or not known.
        result_json: the result, byte for byte as the container gave it. None: there is none, or it was not sent.
        result_bytes: size of a result that was left out, because it was too large for an event or for what was asked;
            None: not known.
    """

    fields: Mapping[str, Any]
    id: str
    state: str
    created: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    cancel_requested: datetime | None = None
    attempts: tuple[Attempt, ...] = ()
    progress: RequestProgress | None = None
    error: RequestFailure | None = None
    result_json: bytes | None = None
    result_bytes: int | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the request changes no more."""
        return self.state in ENDED_STATES

    def result(self) -> Any:
        """Return the value of the result, read anew with each call.

        Raises:
            InvalidAnswerError: there is none, or it is nested too deep for Python; `result_json` has its text.
        """
        if self.result_json is None:
            raise InvalidAnswerError(f"request {self.id} is {self.state}, and no result came with its status")
        try:
            return json.loads(self.result_json)
        except (ValueError, RecursionError):
            raise InvalidAnswerError(
                f"Python cannot read the result of request {self.id}: result_json has its text"
            ) from None


def request_status(document: bytes) -> RequestStatus:
    """Return the status in a document of the gateway. Raises `InvalidAnswerError` when it is none."""
    return status_of(*split_result(document))


def split_result(document: bytes) -> tuple[Mapping[str, Any], bytes | None]:
    """Return the fields of a document, and its result as text: it may be nested deep, and keeps its bytes.

    White space around the result is the container's: the gateway writes none.

    Raises:
        InvalidAnswerError: this is no object of JSON.
    """
    validator = JsonValidator()
    try:
        validator.feed(document)
        validator.close()
        begin = value_start(document, 0)
        if document[begin : begin + 1] != b"{":
            raise InvalidAnswerError("the gateway does not answer with an object")
        parts: list[bytes] = []
        result: bytes | None = None
        for name, (start, end) in members(document, begin):
            if name == "result":
                result = document[document.rindex(b":", 0, start) + 1 : value_start(document, end)]
            else:
                parts.append(b"%b:%b" % (json.dumps(name).encode(), document[start:end]))
        return decode_object(b"{%b}" % b",".join(parts)), result
    except (InvalidResponseError, ValueError):
        raise InvalidAnswerError("the gateway does not answer with JSON: it is no gateway") from None


def status_of(fields: Mapping[str, Any], result: bytes | None = None) -> RequestStatus:
    """Return the status in the fields of an object. Raises `InvalidAnswerError` when it is none."""
    request_id, state = text_of(fields.get("id")), text_of(fields.get("status"))
    if not is_request_id(request_id) or not state:
        raise InvalidAnswerError("the gateway sends a status without the id and the status of a request")
    progress, error = object_of(fields.get("progress")), object_of(fields.get("error"))
    return RequestStatus(
        fields=fields,
        id=request_id,
        state=state,
        created=moment_of(fields.get("created")),
        started=moment_of(fields.get("started")),
        ended=moment_of(fields.get("ended")),
        cancel_requested=moment_of(fields.get("cancel_requested")),
        attempts=tuple(map(_attempt, objects_of(fields.get("attempts"), MAX_ATTEMPTS))),
        progress=_progress(progress) if progress else None,
        error=_failure(error) if error else None,
        result_json=result,
        result_bytes=whole_of(fields.get("result_bytes")),
    )


def _attempt(fields: Mapping[str, Any]) -> Attempt:
    return Attempt(
        began=moment_of(fields.get("began")),
        ended=moment_of(fields.get("ended")),
        worker=text_of(fields.get("worker")),
        outcome=text_of(fields.get("outcome")),
        code=text_of(fields.get("code")),
        reason=text_of(fields.get("reason")),
        status_code=whole_of(fields.get("status_code")),
    )


def _progress(fields: Mapping[str, Any]) -> RequestProgress:
    return RequestProgress(
        share=real_of(fields.get("progress")), message=text_of(fields.get("message")), at=moment_of(fields.get("at"))
    )


def _failure(fields: Mapping[str, Any]) -> RequestFailure:
    return RequestFailure(
        code=text_of(fields.get("code")),
        message=text_of(fields.get("message")),
        status_code=whole_of(fields.get("status_code")),
    )
