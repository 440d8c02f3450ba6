import pytest

from bench import options
from bench.rows import FULL, NAMES
from bench.run import amounts


def test_quick_is_one_run_without_a_soak() -> None:
    asked = options.parse(["--quick"])
    assert (asked.runs, asked.rows, amounts(asked).soak) == (1, NAMES, 0)


def test_the_usual_run() -> None:
    asked = options.parse([])
    assert (asked.runs, amounts(asked)) == (options.RUNS, FULL)


def test_a_soak_is_as_long_as_was_asked_for() -> None:
    assert amounts(options.parse(["--quick", "--soak", "3000"])).soak == 3000


def test_rows_keep_their_order() -> None:
    assert options.parse(["--only", "idle,async-1"]).rows == ("async-1", "idle")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--only", "async-2"], "no such row: async-2; there are async-1, async-16"),
        (["--runs", "0"], "at least 1"),
        (["--servers", "apache"], "nginx"),
    ],
)
def test_the_error_of_a_wrong_command_line_has_the_reason(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        options.parse(arguments)
    assert ended.value.code == 2
    assert expected in capsys.readouterr().err
