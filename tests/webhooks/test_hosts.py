"""Each host has a bounded number of deliveries at a time."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from dequeuer.webhooks import hosts as module
from dequeuer.webhooks.hosts import MAX_PAUSE_S, MIN_PAUSE_S, SILENT_AFTER, TURN_S, HostTurns


def rooms(hosts: HostTurns, host: str, tries: int = 20) -> int:
    """Return how many deliveries the host gets at a time."""
    with ExitStack() as stack:
        return sum(stack.enter_context(hosts.turn(host)) for _ in range(tries))


def test_a_host_at_its_limit_has_no_room_and_the_others_have() -> None:
    hosts = HostTurns(2)
    with hosts.turn("a") as first, hosts.turn("a") as second, hosts.turn("a") as third, hosts.turn("b") as other:
        assert (first, second, third, other) == (True, True, False, True)
    with hosts.turn("a") as again:
        assert again


def test_a_host_that_does_not_answer_gets_one_at_a_time_until_it_does() -> None:
    hosts = HostTurns(8)
    for _ in range(SILENT_AFTER - 1):
        hosts.record("dead", has_answered=False)
    assert rooms(hosts, "dead") == 8
    hosts.record("dead", has_answered=False)
    assert (rooms(hosts, "dead"), rooms(hosts, "other")) == (1, 8)
    hosts.record("dead", has_answered=True)
    assert rooms(hosts, "dead") == 8


def test_the_more_wait_for_a_host_the_longer_they_wait() -> None:
    hosts, pauses = HostTurns(1), []
    with hosts.turn("a"):
        for _ in range(1000):
            with hosts.turn("a") as has_room:
                assert not has_room
            pauses.append(hosts.pause_s("a", lambda: 0.5))
    assert pauses[:2] == [TURN_S, 2 * TURN_S]
    assert pauses == sorted(pauses)
    assert pauses[-1] == MAX_PAUSE_S
    assert hosts.pause_s("b", lambda: 0.0) == MIN_PAUSE_S / 2


def test_names_of_hosts_do_not_stay_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SILENT_HOSTS", 3)
    hosts = HostTurns(1)
    for number in range(100):
        host = f"host-{number}"
        with hosts.turn(host), hosts.turn(host) as has_room:
            assert not has_room
        hosts.pause_s(host)
        hosts.record(host, has_answered=False)
    assert not hosts._running
    assert not hosts._turned_away
    assert len(hosts._silent) == 3
