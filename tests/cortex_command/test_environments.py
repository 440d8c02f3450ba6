"""The environments, their file, and the commands that change it."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path

import pytest

from dequeuer.core.errors import ConfigurationError
from dequeuer.cortex_command.cli_file import changed_environments, read_environments
from dequeuer.cortex_command.environments import Environment, check_endpoint, folder_of
from tests.cortex_command.stage import content, local, write_environments

OLD = """
telemetry: false
default_environment: prod
mine: {a: [1]}
environments:
- {name: prod, operator_endpoint: 'https://prod.example.com', provider: aws, aws_access_key_id: KEY}
- {name: dev, operator_endpoint: dev.example.com}
"""


def test_without_a_file_there_are_none_and_none_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "not-there"
    assert json.loads(local(folder, "env", "list", "--output", "json").out) == {
        "default_environment": None,
        "environments": [],
    }
    assert local(folder, "env", "list").out == "no environments are configured\n"
    done = local(folder, "get")
    assert (done.status, done.out) == (1, "")
    assert (
        done.err == "error: no environments are configured; run `cortex env configure NAME --operator-endpoint URL`\n"
    )
    assert not folder.exists()


def test_a_file_of_cortex_is_read(tmp_path: Path) -> None:
    (tmp_path / "cli.yaml").write_text(OLD)
    assert json.loads(local(tmp_path, "env", "list", "-o", "json").out) == {
        "default_environment": "prod",
        "environments": [
            {"name": "prod", "operator_endpoint": "https://prod.example.com"},
            {"name": "dev", "operator_endpoint": "https://dev.example.com"},
        ],
    }
    assert local(tmp_path, "env", "list").out == (
        "prod (default)\ncortex operator endpoint: https://prod.example.com\n\n"
        "dev\ncortex operator endpoint: https://dev.example.com\n"
    )


def test_what_others_wrote_stays_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cli.yaml"
    path.write_text(OLD)
    path.chmod(0o640)
    assert local(tmp_path, "env", "rename", "prod", "live").out == "renamed the prod environment to live\n"
    assert local(tmp_path, "env", "default", "dev").out == "set dev as the default environment\n"
    found = content(tmp_path)
    assert (found["telemetry"], found["mine"], found["default_environment"]) == (False, {"a": [1]}, "dev")
    assert found["environments"][0] == {
        "name": "live",
        "operator_endpoint": "https://prod.example.com",
        "provider": "aws",
        "aws_access_key_id": "KEY",
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["cli.yaml"]


def test_the_default_is_renamed_and_deleted_with_its_environment(tmp_path: Path) -> None:
    write_environments(tmp_path, "a", a="http://a", b="http://b", c="http://c")
    local(tmp_path, "env", "rename", "a", "z")
    assert local(tmp_path, "env", "default").out == "current default environment: z\n"
    assert local(tmp_path, "env", "delete", "z").out == (
        "deleted the z environment configuration\nunset the default environment\n"
    )
    assert local(tmp_path, "env", "delete", "b").out == (
        "deleted the b environment configuration\nset the default environment to c\n"
    )
    assert local(tmp_path, "env", "default").out == "current default environment: c\n"
    local(tmp_path, "env", "delete", "c")
    assert local(tmp_path, "env", "default").out == "the default environment is not set\n"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("env delete x", "there is no environment named x"),
        ("env default x", "there is no environment named x"),
        ("env rename x y", "there is no environment named x"),
        ("env rename a b", "there is already an environment named b"),
        (f"env rename a {'x' * 64}", "allowed: 1 to 63 visible characters"),
        ("env rename a \x1b[2J", "allowed: 1 to 63 visible characters"),
        ("get sum --env x", "there is no environment named x"),
        ("get sum", "no environment was provided and the default environment is not set"),
        ("env configure new", "add --operator-endpoint URL"),
        ("env configure new -o ftp://a", 'the operator endpoint is "ftp://a"'),
        ("env configure new -o http://u:p@a", "credentials do not belong in a URL"),
    ],
)
def test_what_cannot_be_done_changes_nothing(tmp_path: Path, line: str, text: str) -> None:
    path = write_environments(tmp_path, None, a="http://a", b="http://b")
    before = path.read_bytes()
    done = local(tmp_path, *line.split())
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("error: ")
    assert text in done.err
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("- a", "is no mapping"),
        ("[" * 1000, "nested more than 100 deep"),
        ("a: [secret", "is no YAML (line 2, column"),
        ("environments: 1", "environments is no list"),
        ("environments: [secret]", "environments[0] needs name and operator_endpoint"),
        ("environments: [{name: 1, operator_endpoint: a}]", "environments[0] needs name"),
        ("environments: [{name: '', operator_endpoint: a}]", "the name of the environment"),
        ("environments: [{name: a, operator_endpoint: 'http://'}]", "the operator endpoint"),
        ("environments: [{name: a, operator_endpoint: b}, {name: a, operator_endpoint: b}]", '"a" twice'),
        ("environments: [{name: a, operator_endpoint: b, token_file: 1}]", "token_file is no text"),
    ],
)
def test_a_file_with_faults_is_told_and_not_replaced(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "cli.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught, changed_environments(tmp_path):
        pass
    assert fault in caught.value.faults[0]
    assert "secret" not in caught.value.faults[0]
    assert path.read_text() == text


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    with changed_environments(folder) as environments:
        environments.put(Environment(name="a", operator_endpoint="http://a", token_file="/t"))
    assert content(folder) == {"environments": [{"name": "a", "operator_endpoint": "http://a", "token_file": "/t"}]}
    assert (stat.S_IMODE(folder.stat().st_mode), stat.S_IMODE((folder / "cli.yaml").stat().st_mode)) == (0o700, 0o600)
    assert read_environments(folder).default_name == "a"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target = write_environments(tmp_path / "real", "a", a="http://a")
    (tmp_path / "cli.yaml").symlink_to(target)
    local(tmp_path, "env", "rename", "a", "b")
    assert (tmp_path / "cli.yaml").is_symlink()
    assert content(tmp_path)["default_environment"] == "b"


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_environments(tmp_path, "a", a="http://a", b="http://b")
    before = path.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    done = local(tmp_path, "env", "delete", "a")
    assert done.status == 1
    assert "cannot be written (No space left on device)" in done.err
    assert (path.read_bytes(), [path.name for path in tmp_path.iterdir()]) == (before, ["cli.yaml"])


def test_changes_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    def add(number: int) -> None:
        with changed_environments(tmp_path) as environments:
            environments.put(Environment(name=f"e{number}", operator_endpoint="http://a"))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.name for one in read_environments(tmp_path)} == {f"e{number}" for number in range(8)}


def test_an_address_without_a_scheme_is_https() -> None:
    assert check_endpoint(" a.example.com/x/ ") == "https://a.example.com/x"
    assert check_endpoint("http://127.0.0.1:8888/") == "http://127.0.0.1:8888"


def test_the_folder_is_that_of_cortex(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert folder_of({}) == tmp_path / ".cortex"
    assert folder_of({"CORTEX_CLI_CONFIG_DIR": "~/mine"}) == tmp_path / "mine"
