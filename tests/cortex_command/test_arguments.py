from __future__ import annotations

import pytest

from dequeuer.cortex_command.advice import advice_for
from dequeuer.cortex_command.arguments import UsageError, parse


@pytest.mark.parametrize(
    "line",
    [
        "get sum 67 --env dev -o json -w",
        "get -o=json --env=dev sum -w 67",
        "get sum -wojson 67 -e dev",
        "--env dev get sum 67 --output json --watch",
        "-e dev -w get -ojson sum -- 67",
        "ge sum 67 -edev --output=json -w=true",
        "get -w --watch=false -w sum 67 -e x -e dev -o pretty -o json",
    ],
)
def test_flags_stand_anywhere_and_are_written_as_cobra_reads_them(line: str) -> None:
    found = parse(line.split())
    assert (found.path, found.words) == (("get",), ("sum", "67"))
    assert found.values == {"env": "dev", "output": "json"}
    assert found.switches == {"watch"}
    assert found.is_json


def test_a_letter_means_what_its_command_says() -> None:
    assert parse(["env", "list", "-o", "json"]).values == {"output": "json"}
    assert parse(["env", "configure", "dev", "-o", "http://a"]).values == {"operator-endpoint": "http://a"}
    assert parse(["delete", "a", "-fc"]).switches == {"force", "keep-cache"}


@pytest.mark.parametrize(
    ("line", "path"),
    [("del a", ("delete",)), ("env conf a", ("env", "configure")), ("e l", ("env", "list")), ("cl up", ("cluster", "up"))],
)  # fmt: skip
def test_the_beginning_of_a_command_is_enough(line: str, path: tuple[str, ...]) -> None:
    assert parse(line.split()).path == path


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("gut", 'unknown command: "gut"'),
        ("de a", 'unknown command: "de"'),  # delete, deploy and describe begin so
        ("env nope", 'unknown command: "env nope"'),
        ("get --bogus", 'unknown flag: "--bogus"'),
        ("get -x", 'unknown flag: "-x"'),
        ("get --=a", 'unknown flag: "--"'),
        ("get -o yaml", '--output is "yaml"; allowed: pretty or json'),
        ("get --env", "--env needs a value"),
        ("get --watch=maybe", '--watch is "maybe"; allowed: true or false'),
        ("get a b c", "takes 0 to 2 arguments, and 3 are given"),
        ("env rename a", "takes 2 arguments, and 1 are given"),
        ("env list a", "takes no arguments, and 1 are given"),
    ],
)
def test_what_is_wrong_is_said(line: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line.split())
    assert text in str(caught.value)


@pytest.mark.parametrize("line", ["", "help", "--help", "-h", "env", "env --help", "get a b c d --help"])
def test_help_is_asked_for(line: str) -> None:
    found = parse(line.split())
    assert found.command is None or "help" in found.switches


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("deploy mine.yaml --env e -o json -y --force", "dequeuer manifests mine.yaml"),
        ("deploy", "dequeuer manifests cortex.yaml"),
        ("refresh sum --env e -o json --force", "kubectl rollout restart deployment api-sum"),
        ("delete sum --env e --force -o json --keep-cache", "helm upgrade"),
        ("logs sum --random-pod", "kubectl logs deployment/api-sum"),
        ("completion bash", "no completions"),
        ("cluster up", "Helm chart"),
    ],
)
def test_what_is_done_otherwise_is_told(line: str, text: str) -> None:
    found = parse(line.split())
    advice = advice_for(found.path, found.words)
    assert advice is not None
    assert text in advice


@pytest.mark.parametrize("line", ["get", "describe a", "delete a 67", "version", "env list"])
def test_what_is_done_here_needs_no_advice(line: str) -> None:
    found = parse(line.split())
    assert advice_for(found.path, found.words) is None
