from dataclasses import replace
from pathlib import Path

import pytest

from bench import limits
from bench.child import ROOT, BenchError
from bench.results import Results
from tests.bench.results import cpu, full, same


def written(folder: Path, text: str) -> Path:
    file = folder / "limits.toml"
    file.write_text(text)
    return file


def test_what_is_above_its_limit_is_named(tmp_path: Path) -> None:
    text = '[cpu_ratio]\n"async-16" = 2.9\n"tls-16" = 2.5\n[start]\nratio = 6\n[memory]\nat_100_mb_to_10_mb = 1.04\n'
    found = limits.exceeded(limits.load(written(tmp_path, text)), full())
    assert found == [
        "cpu_ratio.async-16 is 3.00, at most 2.9 is allowed",
        "start.ratio is 7.00, at most 6 is allowed",
        "memory.at_100_mb_to_10_mb is 1.05, at most 1.04 is allowed",
    ]


def test_noise_only_adds_so_the_best_run_decides_about_cpu(tmp_path: Path) -> None:
    assert not limits.exceeded(limits.load(written(tmp_path, '[cpu_ratio]\n"async-16" = 3.1\n')), full())


def test_the_best_round_decides_about_distance(tmp_path: Path) -> None:
    text = "[distance]\ntimes_slower_with_queue_far = 1.1\ntimes_slower_with_all_far = 1.3\n"
    assert limits.exceeded(limits.load(written(tmp_path, text)), full()) == [
        "distance.times_slower_with_queue_far is 1.11, at most 1.1 is allowed"
    ]


def test_the_best_round_of_the_proxies_decides_and_the_larger_body(tmp_path: Path) -> None:
    text = "[proxy]\ncpu_to_floor = 1.9\ncpu_to_aiohttp = 0.2\nstreams_mib = 58\nidle_mib = 60\nbody_mib = 48\n"
    assert limits.exceeded(limits.load(written(tmp_path, text)), full()) == [
        "proxy.cpu_to_floor is 2.00, at most 1.9 is allowed",
        "proxy.idle_mib is 64.00, at most 60 is allowed",
        "proxy.body_mib is 49.00, at most 48 is allowed",
    ]


def test_what_was_not_measured_exceeds_nothing() -> None:
    assert not limits.exceeded(limits.load(ROOT / "bench" / "limits.toml"), Results())


def test_the_limits_of_ci_are_above_sound_results() -> None:
    sound = replace(full(), cpu={name: cpu(same(4.0), 4.25) for name in ("async-16", "tls-16")})
    assert not limits.exceeded(limits.load(ROOT / "bench" / "limits.toml"), sound)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('[cpu_ratio]\n"async-17" = 2\n', "cpu_ratio.async-17"),
        ("[start]\nseconds = 2\n", "start.seconds"),
        ('[start]\nratio = "2"\n', "start.ratio"),
        ("start = 2\n", "start is no table"),
        ("[start\n", "limits.toml"),
    ],
)
def test_a_file_that_limits_nothing_real_is_refused(tmp_path: Path, text: str, part: str) -> None:
    with pytest.raises(BenchError, match=part):
        limits.load(written(tmp_path, text))
