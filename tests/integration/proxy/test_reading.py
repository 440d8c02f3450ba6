"""The readers of heads and bodies in this process: the borders of reads change nothing, and the judge reads the same."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings

from dequeuer.http.errors import MalformedError
from dequeuer.http.framing import find_head_end
from dequeuer.http.request_head import RequestError, RequestHead, check_unfinished, read_request_head
from tests.integration.proxy.corpus import CASES, PASS, Case
from tests.integration.proxy.grammar import Attack, attacks
from tests.integration.proxy.judge import read_requests

Read = tuple[bytes, bytes, bytes, tuple[tuple[bytes, bytes], ...]]
"""Method, target, body, trailers."""
Body = tuple[bytes, tuple[tuple[bytes, bytes], ...], int] | None
"""Body, trailers, and the number of bytes that it has; None: it is refused."""

EXAMPLES = 1000


def read_body(head: RequestHead, pieces: Sequence[bytes]) -> tuple[Body, bool]:
    """Return the body, and whether it has ended."""
    reader = head.body_reader()
    content, consumed = b"", 0
    for piece in pieces:
        if reader.is_done:
            break
        try:
            part, used = reader.feed(piece)
        except MalformedError:
            return None, True
        content += part
        consumed += used
    return (content, tuple(reader.trailers), consumed), reader.is_done


def read_all(data: bytes) -> tuple[list[Read], str]:
    """Read requests as the proxy does; return them, and what ended it: "refused", "unfinished" or "end"."""
    requests: list[Read] = []
    while data:
        while data.startswith(b"\r\n"):
            data = data[2:]
        end = find_head_end(data, 0)
        try:
            if not end:
                check_unfinished(data, 0)
                break
            head = read_request_head(data[:end])
        except RequestError:
            return requests, "refused"
        body, is_done = read_body(head, [data[end:]])
        if body is None:
            return requests, "refused"
        if not is_done:
            break
        requests.append((head.method, head.target, body[0], body[1]))
        data = data[end + body[2] :]
        if not head.keep_alive:
            return requests, "end"
    return requests, "unfinished" if data else "end"


@settings(max_examples=EXAMPLES)
@given(attack=attacks())
def test_the_proxy_and_the_judge_read_the_same(attack: Attack) -> None:
    meant = read_requests(attack.data)
    found, end = read_all(attack.data)
    wanted = [(request.method, request.path, request.body, request.trailers) for request in meant.requests]
    assert found == wanted[: len(found)]
    if end == "refused":
        has_doubts = len(found) < len(wanted) and bool(meant.requests[len(found)].doubts)
        assert meant.fault or has_doubts or meant.rest, "what is meant was refused"
    else:
        assert len(found) == len(wanted)
        assert not meant.fault


HEADS = [case for case in CASES if case.expected is PASS and len(case.data) < 2000]


@pytest.mark.parametrize("case", HEADS, ids=[case.name for case in HEADS])
def test_no_beginning_of_a_valid_head_is_refused(case: Case) -> None:
    data = case.data
    end = find_head_end(data, 0)
    for size in range(end):
        for searched in {0, size // 2, max(0, size - 1)}:
            check_unfinished(data[:size], searched)
            assert find_head_end(data[:size], searched) == 0
    for searched in range(end):
        assert find_head_end(data, searched) == end


def has_body(data: bytes) -> bool:
    """Whether the first request has a body that the proxy reads."""
    end = find_head_end(data, 0)
    try:
        return bool(end) and read_request_head(data[:end]).has_body
    except RequestError:
        return False


BODIES = [case for case in CASES if len(case.data) < 2000 and has_body(case.data)]


@pytest.mark.parametrize("case", BODIES, ids=[case.name for case in BODIES])
def test_the_borders_of_reads_change_no_body(case: Case) -> None:
    end = find_head_end(case.data, 0)
    head, rest = read_request_head(case.data[:end]), case.data[end:]
    whole, is_done = read_body(head, [rest])
    splits = [[0, at, len(rest)] for at in range(1, len(rest))]
    splits += [[0, at, at + 1, at + 2, len(rest)] for at in range(1, len(rest) - 2)]
    splits += [[*range(0, len(rest), step), len(rest)] for step in (1, 2, 3, 5)]
    for split in splits:
        pieces = [rest[begin:to] for begin, to in pairwise(split)]
        assert read_body(head, pieces) == (whole, is_done), pieces
