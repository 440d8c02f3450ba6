"""Results that a client does not want with the status: `?max_result_bytes=N` leaves larger ones out."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

from dequeuer.core.errors import clip
from dequeuer.gateway.problems import ProblemError

RESULT_LIMIT_PARAMETER: Final = "max_result_bytes"
MAX_DIGITS: Final = 12

_BYTES: Final = re.compile(rf"[0-9]{{1,{MAX_DIGITS}}}", re.ASCII)


def asked_result_limit(request: web.Request) -> int | None:
    """Return the bytes of `?max_result_bytes=N`; None when it is not there. Raises `ProblemError`."""
    given = request.query.getall(RESULT_LIMIT_PARAMETER, [])
    if not given:
        return None
    if len(given) > 1 or not _BYTES.fullmatch(given[0]):
        text = f'{RESULT_LIMIT_PARAMETER} is "{clip(", ".join(given), 40)}"; allowed: a whole number of bytes, once'
        raise ProblemError(400, "invalid_max_result_bytes", text)
    return int(given[0])
