import pytest

from bench.scaling.loads import FOLDER, NAMES, Load, Step, load
from bench.scaling.make_loads import LENGTH_S, LOSSES, SHAPES, csv_text


@pytest.mark.parametrize("name", NAMES)
def test_the_files_are_those_that_the_seed_makes(name: str) -> None:
    assert (FOLDER / f"{name}.csv").read_text(encoding="ascii") == csv_text(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_read_as_it_was_made(name: str) -> None:
    shape = load(name)
    assert (shape.step_s, shape.end_s) == (10, LENGTH_S)
    mean = sum(SHAPES[name](int(step.start_s)) for step in shape.steps) / len(shape.steps)
    assert sum(step.per_s for step in shape.steps) / len(shape.steps) == pytest.approx(mean, rel=0.05)
    assert {step.start_s: step.lost_share for step in shape.steps if step.lost_share} == LOSSES.get(name, {})


def test_requests_are_evenly_spaced_and_fractions_are_carried_over() -> None:
    steps = tuple(Step(start_s=at * 10, per_s=0.25) for at in range(4))
    requests = list(Load(name="x", step_s=10, steps=steps).requests(16))
    assert [request.submitted_s for request in requests] == pytest.approx([4, 8, 12, 16, 20, 24, 28, 32, 36, 40])
    assert all(8 <= request.work_s < 24 for request in requests)


def test_the_same_seed_makes_the_same_requests() -> None:
    shape = load("burst").until(600)
    once, again, other = ([one.work_s for one in shape.requests(16, seed)] for seed in (1, 1, 2))
    assert once == again != other


def test_a_shape_can_have_more_or_fewer_requests() -> None:
    shape = load("ramp")
    assert sum(1 for _ in shape.times(0.5).requests(1)) == pytest.approx(sum(1 for _ in shape.requests(1)) / 2, abs=1)
