"""Each host has a bounded number of deliveries at a time."""

from dequeuer.webhooks.hosts import HostTurns


def test_a_host_at_its_limit_has_no_room_and_the_others_have() -> None:
    hosts = HostTurns(2)
    with hosts.turn("a") as first, hosts.turn("a") as second, hosts.turn("a") as third, hosts.turn("b") as other:
        assert (first, second, third, other) == (True, True, False, True)
    with hosts.turn("a") as again:
        assert again


def test_names_of_hosts_do_not_stay_in_memory() -> None:
    hosts = HostTurns(1)
    for number in range(100):
        with hosts.turn(f"host-{number}"):
            pass
    assert not hosts._running
