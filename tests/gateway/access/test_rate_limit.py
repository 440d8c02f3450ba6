from __future__ import annotations

import pytest

from dequeuer.gateway.access.caller import Rate
from dequeuer.gateway.access.rate_limit import MAX_BUCKETS, RateLimiter, address_key


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_then_the_rate_counts() -> None:
    clock = Clock()
    limiter, rate = RateLimiter(clock), Rate(per_second=2, burst=3)
    assert [limiter.take("a", rate) for _ in range(5)] == [0, 0, 0, 0.5, 0.5]
    assert limiter.take("b", rate) == 0  # of another caller
    clock.now += 0.25
    assert limiter.take("a", rate) == pytest.approx(0.25)
    clock.now += 0.25
    assert limiter.take("a", rate) == 0
    clock.now += 3600  # a pause brings the burst, and no more
    assert [limiter.take("a", rate) for _ in range(4)] == [0, 0, 0, 0.5]


def test_a_lower_rate_counts_at_once() -> None:
    limiter = RateLimiter(Clock())
    limiter.take("a", Rate(per_second=1, burst=100))
    assert [limiter.take("a", Rate(per_second=1, burst=1)) for _ in range(2)] == [0, 1]


def test_buckets_are_bounded_and_the_oldest_go_first() -> None:
    limiter, rate = RateLimiter(Clock()), Rate(per_second=1, burst=1)
    for at in range(MAX_BUCKETS + 10):
        limiter.take(f"address {at}", rate)
        assert at == 0 or limiter.take("address 0", rate)  # in use: it stays
    assert len(limiter._buckets) == MAX_BUCKETS
    assert limiter.take("address 0", rate)
    assert limiter.take("address 1", rate) == 0


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("no address", "unknown"),
        (None, "unknown"),
    ],
)
def test_one_host_is_one_address(address: str | None, key: str) -> None:
    assert address_key(address) == key
