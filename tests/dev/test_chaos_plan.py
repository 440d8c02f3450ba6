from __future__ import annotations

from itertools import islice

import pytest

from dequeuer.dev import chaos_plan
from dequeuer.dev.chaos_plan import CHAOS_KINDS, Episode, episodes, kills, parse_kinds


def test_a_seed_repeats_kills_and_episodes_and_another_one_does_not() -> None:
    def first(seed: int) -> list[object]:
        return [*islice(kills(seed), 5), *(one for kind in CHAOS_KINDS for one in islice(episodes(kind, seed), 5))]

    assert first(1) == first(1)
    assert first(1) != first(2)


def test_kills_are_bounded_in_their_rate_and_a_third_is_for_processes_of_jobs() -> None:
    found = [*islice(kills(3), 3000)]
    assert all(3 <= kill.pause_s <= 9 and 0 <= kill.place < 1 for kill in found)
    assert 900 < sum(kill.is_of_job for kill in found) < 1100


def test_episodes_are_bounded_and_leave_time_without_faults_between() -> None:
    for kind in CHAOS_KINDS[1:]:
        found = [*islice(episodes(kind, 3), 300)]
        assert all(
            one.pause_s >= 8 and 2 <= one.lasts_s <= 5 and one.share <= 0.8 and one.delay_s <= 3 for one in found
        )
        assert {one.service for one in found} == ({"S3"} if kind == "slow-s3" else {"SQS", "S3"})


@pytest.mark.parametrize(
    ("kind", "service", "text"),
    [
        ("throttling", "SQS", "SQS throttles 45% of the calls, for 2.3 s"),
        ("errors", "S3", "S3 fails 45% of the calls, for 2.3 s"),
        ("slow-s3", "S3", "S3 takes 1.5 s longer, for 2.3 s"),
    ],
)
def test_an_episode_is_told_in_words(kind: chaos_plan.ChaosKind, service: chaos_plan.Service, text: str) -> None:
    assert Episode(kind=kind, service=service, pause_s=1, lasts_s=2.3, share=0.45, delay_s=1.5).text == text


def test_kinds_are_a_list_with_commas() -> None:
    assert parse_kinds("slow-s3, kills,kills") == ("kills", "slow-s3")
    assert parse_kinds(",".join(CHAOS_KINDS)) == CHAOS_KINDS


@pytest.mark.parametrize("text", ["", "kill", "kills,", "kills slow-s3"])
def test_a_kind_that_does_not_exist_is_told_with_those_that_do(text: str) -> None:
    with pytest.raises(
        ValueError, match="is no kind of chaos; allowed: kills, throttling, errors, slow-s3, with commas"
    ):
        parse_kinds(text)
