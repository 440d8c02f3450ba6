"""Every request of the corpus, sent to a proxy as a process: the container sees what was meant, or nothing."""

from __future__ import annotations

import pytest

from tests.integration.proxy.corpus import CASES, Case, Passes
from tests.integration.proxy.judge import read_requests
from tests.integration.proxy.recorder import Recorder
from tests.integration.proxy.rules import check_answers, check_container, send


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_container_sees_exactly_what_was_meant_or_nothing(
    case: Case, shared_proxy: int, shared_recorder: Recorder
) -> None:
    meant = read_requests(case.data)
    is_refused = isinstance(case.expected, int)
    received, recording = send(shared_proxy, shared_recorder, case.data, until_closed=is_refused)

    check_container(case.data, recording)
    statuses = check_answers(case.data, received, recording)
    if isinstance(case.expected, int):
        is_refused_by_rule = not meant.fault and meant.partial is None and not meant.rest
        passing = len(meant.requests) - is_refused_by_rule
        assert statuses == [200] * passing + [case.expected], received
        assert received.is_closed, received
    elif case.expected is Passes.EXACTLY:
        assert statuses == [200] * len(meant.requests), received
    else:
        is_whole = statuses == [200] * len(meant.requests)
        is_refused = bool(statuses) and 400 <= statuses[-1] <= 505 and received.is_closed
        assert is_whole or is_refused, received
