import pytest

from bench.spread import quarters_apart, spread


def test_the_median_and_both_ends() -> None:
    found = spread([3.0, 1.0, 2.5])
    assert (found.median, found.minimum, found.maximum) == (2.5, 1.0, 3.0)


@pytest.mark.parametrize(
    ("values", "text"),
    [([1.234], "1.23"), ([1.0, 2.0, 4.0], "2.00 (1.00..4.00)"), ([1.001, 1.002], "1.00")],
)
def test_the_ends_are_written_when_they_differ(values: list[float], text: str) -> None:
    assert spread(values).text(2) == text


def test_the_last_quarter_is_set_beside_the_first() -> None:
    assert quarters_apart([100, 100, 500, 500, 500, 500, 105, 105]) == pytest.approx(0.05)
    assert quarters_apart([100, 0, 0, 90, 7]) == pytest.approx(-0.93)


def test_too_few_samples_are_an_error() -> None:
    with pytest.raises(ValueError, match="3 samples are too few"):
        quarters_apart([1, 2, 3])
