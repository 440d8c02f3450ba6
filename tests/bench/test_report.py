import json

from bench import report
from bench.results import Results
from tests.bench.results import full


def line(text: str, start: str) -> list[str]:
    found = next(line for line in text.splitlines() if line.startswith(f"| {start}"))
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_every_row_of_what_is_to_be_reached_has_its_verdict() -> None:
    text = report.text(full())
    assert line(text, "CPU a message to the floor, 16 workers, HTTP")[1:] == [
        "11x",
        "5x, then 3x",
        "4.0x",
        "reached (nearer); farther: short by 1.0x",
    ]
    assert line(text, "CPU a message to the floor, 16 workers, TLS")[-1] == "reached (farther)"
    assert line(text, "CPU a message to the floor, paced")[-2:] == ["-", "not measured"]
    assert line(text, "memory over 50,000 messages")[-2:] == ["2.0 %", "reached"]
    assert "short by 0.95" in line(text, "AWS requests a message")[-1]


def test_a_row_of_cpu_has_its_spread_and_its_requests() -> None:
    text = report.text(full())
    cells = ["async-16", "0.400", "1500", "5.25", "51.0", "0.100", "4.0 (3.0..9.0)x", "0.080", "5.0x"]
    assert line(text, "async-16") == cells
    assert "  async-16: GetObject 2, ReceiveMessage 0.1" in text


def test_the_proxies_have_a_row_each_and_what_is_to_be_reached() -> None:
    text = report.text(full())
    assert line(text, "dequeuer |")[:5] == ["dequeuer", "30.0", "30000", "15000", "36.0"]
    assert line(text, "CPU of dequeuer to the floor")[1] == "2.50 (2.00..9.00)x"
    assert line(text, "CPU a request of the proxy to the floor")[-2:] == ["2.5x", "reached"]
    assert line(text, "CPU a request of the proxy to one with aiohttp")[-1] == "short by 0.05x"
    assert line(text, "p99 that the proxy adds")[-2:] == ["0.40 ms", "reached"]
    assert line(text, "memory of the proxy with 10,000")[-2:] == ["64 MiB", "reached"]
    assert "| dequeuer   | 58.0 " in text


def test_a_void_row_is_reported() -> None:
    assert "VOID idle: it went away" in report.text(Results(void={"idle": "it went away"}))


def test_columns_are_aligned() -> None:
    text = report.table(("a", "b"), [("long", "1"), ("c", "long, too")])
    assert len({len(row) for row in text.splitlines()}) == 1


def test_json_holds_everything() -> None:
    read = json.loads(report.as_json(full()))
    assert read["cpu"]["async-16"]["ratio"] == {"median": 4.0, "minimum": 3.0, "maximum": 9.0}
    assert read["memory"]["100 MB"] == 84.0
    assert {row["verdict"] for row in read["to_reach"]} >= {"reached", "not measured"}
