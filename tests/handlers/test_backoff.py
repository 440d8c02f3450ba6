from hypothesis import given
from hypothesis import strategies as st

from dequeuer.handlers.backoff import backoff_s


@given(st.integers(min_value=-1, max_value=10**9))
def test_whole_seconds_from_one_to_sixty_growing_with_the_receives(receive_count: int) -> None:
    seconds = backoff_s(receive_count)
    assert isinstance(seconds, int)
    ceiling = min(60, 2 ** min(max(receive_count - 1, 0), 10))
    assert max(1, ceiling / 2) <= seconds <= ceiling


def test_jitter_spreads_those_that_failed_together() -> None:
    assert len({backoff_s(7) for _ in range(200)}) > 10
