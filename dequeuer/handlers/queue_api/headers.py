"""The headers of a request, named as the daemon of Elastic Beanstalk's worker environments (sqsd) names them.

Whoever may send to the queue chooses names and values of the attributes. SQS allows line breaks in values, and a server
other than SQS may allow anything in names, so an attribute becomes a header only if both are safe.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from dequeuer.core.errors import InvalidInputError
from dequeuer.core.message import REPEAT_ATTRIBUTE, Message

MAX_ATTRIBUTES_BYTES: Final = 6 * 1024
"""Of the attributes that become headers, names and values together. Web servers refuse heads from 8 KiB on (Tomcat)."""
OMITTED_HEADER: Final = "X-Dequeuer-Omitted-Attributes"
USER_AGENT: Final = "aws-sqsd/2.0"
"""Applications recognise requests of the daemon by the beginning of this header."""

_PREFIX = "X-Aws-Sqsd-"
_TASK_PREFIX = "beanstalk.sqsd."
_PATH, _TASK_NAME, _SCHEDULED_TIME = (f"{_TASK_PREFIX}{name}" for name in ("path", "task_name", "scheduled_time"))
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,256}")
# No control characters: a line break would begin another header, or another request. No halves of surrogate pairs.
_VALUE = re.compile("[\t -~\N{NO-BREAK SPACE}-\ud7ff\ue000-\U0010ffff]*")
_VISIBLE = re.compile("[!-~]{1,256}")
_PATH_FORM = re.compile(r'/[!-"$-~]{0,1023}')
_MILLISECONDS = re.compile("[0-9]{1,13}")


def path_of(attributes: Mapping[str, str], default: str) -> str:
    """Return the path that a message asks for with its attribute `beanstalk.sqsd.path`, else `default`.

    Raises:
        InvalidInputError: it is not the path of a request.
    """
    path = attributes.get(_PATH, default)
    if _PATH_FORM.fullmatch(path) is None:
        raise InvalidInputError(f"its attribute {_PATH} is not a path of up to 1,024 visible ASCII characters")
    return path


def request_headers(message: Message, attributes: Mapping[str, str], *, content_type: str) -> list[tuple[str, str]]:
    """Return the headers of the request for a message. `attributes`: those that describe its body.

    Binary attributes are left out, as the daemon does; they are not among `attributes`.
    """
    headers = [
        ("Content-Type", content_type),
        ("User-Agent", USER_AGENT),
        (f"{_PREFIX}Msgid", message.id),
        (f"{_PREFIX}Queue", message.queue_name),
        (f"{_PREFIX}Receive-Count", str(message.receive_count)),
    ]
    first_received = message.system_attributes.get("ApproximateFirstReceiveTimestamp", "")
    if _MILLISECONDS.fullmatch(first_received):
        at = datetime.fromtimestamp(int(first_received) // 1000, UTC)
        headers.append((f"{_PREFIX}First-Received-At", f"{at:%Y-%m-%dT%H:%M:%SZ}"))
    optional = (
        ("Sender-Id", message.system_attributes.get("SenderId")),
        ("Path", attributes.get(_PATH)),
        ("Taskname", attributes.get(_TASK_NAME)),
        ("Scheduled-At", attributes.get(_SCHEDULED_TIME)),
    )
    headers += [(f"{_PREFIX}{name}", value) for name, value in optional if value and _VISIBLE.fullmatch(value)]
    return headers + _attribute_headers(attributes)


def _attribute_headers(attributes: Mapping[str, str]) -> list[tuple[str, str]]:
    headers: list[tuple[str, str]] = []
    seen: set[str] = set()
    omitted, room = 0, MAX_ATTRIBUTES_BYTES
    for name, value in attributes.items():
        if name.startswith(_TASK_PREFIX) or name == REPEAT_ATTRIBUTE:
            continue
        # The length is compared first: the pattern would look at each character of a value of 1 MiB.
        is_sent = len(name) + len(value) <= room and _NAME.fullmatch(name) and _VALUE.fullmatch(value)
        size = len(name) + len(value.encode()) if is_sent else 0
        # Headers do not distinguish cases: two attributes would become one header with two values.
        if not is_sent or size > room or name.lower() in seen:
            omitted += 1
            continue
        room -= size
        seen.add(name.lower())
        headers.append((f"{_PREFIX}Attr-{name}", value))
    if omitted:
        headers.append((OMITTED_HEADER, str(omitted)))
    return headers
