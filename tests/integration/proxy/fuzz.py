"""A fuzzer: the proxy's reading of any bytes against the judge's, the container's, and that of three servers.

`python -m tests.integration.proxy.fuzz --minutes 10 --seed 1` runs it by hand. It prints the bytes of a failure.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from tests.integration.proxy.client import converse
from tests.integration.proxy.grammar import Attack, answers, attacks
from tests.integration.proxy.judge import read_requests
from tests.integration.proxy.proxy_process import IMPATIENT, Proxy
from tests.integration.proxy.recorder import CLOSE, Recorder, echo, recording
from tests.integration.proxy.response_judge import read_response, read_responses
from tests.integration.proxy.rules import SETTLED, check_answers, check_container, check_readers, send

Examine: TypeAlias = "Callable[[int, Recorder, Attack], str]"
Source: TypeAlias = "Callable[[], st.SearchStrategy[Attack]]"

BATCH = 250
"""Examples a seed."""


def examine(port: int, recorder: Recorder, attack: Attack) -> str:
    """Send an attack and check everything about it; return what became of it, in a word."""
    data = attack.data
    meant = read_requests(data)
    received, recording = send(port, recorder, data, pieces=attack.pieces)
    check_container(data, recording)
    statuses = check_answers(data, received, recording)
    check_readers(recording)
    passed = len(recording.requests)
    certain = 0
    while certain < len(meant.requests) and not meant.requests[certain].doubts:
        certain += 1
    assert passed >= certain, f"refused: {meant.requests[passed]}: {received.data[-500:]!r}"
    if passed < len(meant.requests) or meant.fault:
        assert received.is_closed, f"goes on after what is no request: {received}"
        # The head of the response may have been sent before the body turned out to be bad: then it is cut off.
        assert received.is_reset or statuses[-1] >= 400, f"closed without a word: {received}"
        return "refused"
    return "passed" if meant.partial is None and not meant.rest else "unfinished"


def examine_answer(port: int, recorder: Recorder, attack: Attack) -> str:
    """Let the container send an attack, and check what two clients get; return what became of it, in a word."""
    method = b"HEAD" if len(attack.data) % 4 == 0 else b"GET"
    recorder.answer = lambda request: [*attack.pieces, CLOSE] if request.target == b"/first" else echo(request)
    received = converse(port, [method + b" /first HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"])
    last = converse(port, [SETTLED])
    assert last.data.endswith(b"\r\n\r\nGET /settled"), f"the response to another request: {last.data!r}"
    responses = read_responses(received.data, [method], is_closed=not received.is_reset)
    if not responses or not responses[0].is_whole:
        return "cut"
    [response] = responses
    if response.values(b"x-dequeuer-reason"):
        assert response.status == 502, response
        return "refused"
    meant = read_response(attack.data, method)
    assert meant is not None and meant.is_whole, f"half a response looks whole: {response}"  # noqa: PT018
    assert (response.status, response.body) == (meant.status, meant.body), f"{response} is not {meant}"
    return "passed"


def run(
    port: int, recorder: Recorder, *, seconds: float, seed: int, examine: Examine = examine, source: Source = attacks
) -> Counter[str]:
    """Examine attacks for so long; return what became of them. Raises `AssertionError` with the first that is wrong."""
    ends = time.monotonic() + seconds
    counts: Counter[str] = Counter()
    while time.monotonic() < ends:

        @seeded(seed)
        @settings(
            max_examples=BATCH,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(attack=source())
        def batch(attack: Attack) -> None:
            counts[examine(port, recorder, attack)] += 1

        try:
            batch()
        except BaseException as error:
            error.add_note(f"found with seed {seed}")
            raise
        seed += 1
    return counts


def main() -> None:
    """Fuzz a proxy of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long; default: 10")
    parser.add_argument("--seed", type=int, default=1, help="the first seed; default: 1")
    options = parser.parse_args()
    with recording() as recorder, Proxy(recorder.port, **IMPATIENT) as proxy:
        proxy.wait_ready()
        before_kib = proxy.memory_kib()
        seconds = 30 * options.minutes
        requests = run(proxy.port, recorder, seconds=seconds, seed=options.seed)
        print(f"{sum(requests.values())} clients: {dict(requests)}; memory {before_kib} -> {proxy.memory_kib()} KiB")
        responses = run(
            proxy.port, recorder, seconds=seconds, seed=options.seed, examine=examine_answer, source=answers
        )
        print(f"{sum(responses.values())} containers: {dict(responses)}; memory {proxy.memory_kib()} KiB")


if __name__ == "__main__":
    main()
