from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.dev import environment, local_aws
from dequeuer.dev.addresses import Addresses
from dequeuer.dev.options import parse
from dequeuer.dev.process_specs import ProcessSpecs
from dequeuer.dev.request_specs import container_spec, sidecar_spec
from dequeuer.dev.run_folder import MARKER
from dequeuer.process.child_process import ProcessSpec

USERS = {
    "PATH": "/usr/bin",
    "HOME": "/home/me",
    "LC_ALL": "C.UTF-8",
    "MODEL_PATH": "/models",
    "HTTP_PROXY": "http://proxy:3128",
    "NO_PROXY": "intranet",
    "AWS_PROFILE": "production",
    "AWS_CONFIG_FILE": "/home/me/.aws/config",
    "AWS_SHARED_CREDENTIALS_FILE": "/home/me/.aws/credentials",
    "AWS_ACCESS_KEY_ID": "AKIAPRODUCTION",
    "AWS_SECRET_ACCESS_KEY": "production-secret",
    "AWS_SESSION_TOKEN": "production-token",
    "AWS_ENDPOINT_URL_S3": "https://s3.example.com",
    "AWS_REGION": "eu-central-1",
    "AWS_ROLE_ARN": "arn:aws:iam::1:role/production",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
    "BOTO_CONFIG": "/home/me/.boto",
    "aws_profile": "production",
    "DEQUEUER_BUCKET": "production-bucket",
    "DEQUEUER_TYPO": "1",
    "CORTEX_LOG_LEVEL": "error",
    "USE_SSL": "1",
    "PERSIST_STATE": "1",
    "DOCKER_HOST": "unix:///var/run/docker.sock",
}
OF_THE_USER = {value for name, value in USERS.items() if name.upper().startswith(("AWS_", "BOTO_"))}
ADDRESSES = Addresses(aws=4001, gateway=4002, admin=4003, gateway_admin=4005, ui=4006, user=4004)
ALLOWED_AWS = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:4001",
}


def specs(*line: str) -> dict[str, ProcessSpec]:
    options, folder = parse(line), Path("/somewhere")
    made = ProcessSpecs(ADDRESSES, USERS, folder, lambda _name, _line: None)
    queue_url = "http://127.0.0.1:4001/000000000000/q.fifo"
    container = container_spec(made, options, USERS)
    found = {
        "gateway": made.gateway({"sample": queue_url}),
        "page": made.page({}),
        "sidecar": sidecar_spec(made, options, queue_url, folder),
    }
    return found if container is None else found | {"container": container}


def aws_of(env: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.upper().startswith(("AWS_", "BOTO_"))}


def test_no_process_gets_the_users_account() -> None:
    for line in ([], ["--", "serve"]):
        for spec in specs(*line).values():
            env = dict(spec.environment)
            assert aws_of(env).items() <= ALLOWED_AWS.items(), spec.name
            assert not OF_THE_USER & set(env.values()), spec.name


def test_sidecar_gateway_and_the_users_command_use_the_local_account() -> None:
    found = specs("--", "serve")
    for name in ("sidecar", "gateway", "container"):
        assert aws_of(dict(found[name].environment)) == ALLOWED_AWS


def test_the_users_shell_does_not_change_our_processes() -> None:
    for spec in specs().values():
        assert not {"DEQUEUER_TYPO", "CORTEX_LOG_LEVEL", "HTTP_PROXY", "MODEL_PATH"} & set(spec.environment)
        assert spec.environment.get("DEQUEUER_BUCKET") != "production-bucket"
        assert spec.environment["PATH"] == "/usr/bin"


def test_the_users_command_keeps_the_rest_of_the_users_environment() -> None:
    env = specs("--user-port", "9000", "--", "serve")["container"].environment
    assert (env["MODEL_PATH"], env["HTTP_PROXY"]) == ("/models", "http://proxy:3128")
    assert env["NO_PROXY"] == "intranet,127.0.0.1,localhost"
    assert env["CORTEX_PORT"] == "4004"


def test_the_embedded_server_listens_on_loopback_only_and_leaves_docker_alone() -> None:
    env = local_aws.server_environment(environment.base_environment(USERS, Path("/somewhere")), 4001)
    assert (env["BIND_HOST"], env["GATEWAY_PORT"], env["SERVICES"]) == ("127.0.0.1", "4001", "sqs,s3")
    assert (env["IOT_MTLS_ENABLED"], env["SFTP_ENABLED"]) == ("0", "0")
    assert env["TMPDIR"] == "/somewhere"
    assert env["S3_DATA_DIR"].startswith("/somewhere/")
    assert env["DOCKER_HOST"] != USERS["DOCKER_HOST"]
    assert not {"USE_SSL", "PERSIST_STATE"} & set(env)


def test_the_account_and_the_proxies_are_removed_from_the_own_environment() -> None:
    mine = dict(USERS)
    environment.remove_aws_settings(mine)
    assert aws_of(mine).items() <= ALLOWED_AWS.items()
    assert "HTTP_PROXY" not in mine
    assert mine["MODEL_PATH"] == "/models"


@given(st.dictionaries(st.sampled_from(["AWS_", "aws_", "Aws_", "BOTO_"]).flatmap(
    lambda prefix: st.text("ABCxyz_", max_size=8).map(lambda rest: prefix + rest)), st.just("production")))  # fmt: skip
def test_aws_variables_of_any_name_are_removed(users: dict[str, str]) -> None:
    mine = dict(users)
    environment.remove_aws_settings(mine)
    base = environment.base_environment(users, Path("/somewhere"))
    container = environment.container_environment(users, "http://127.0.0.1:1", 1)
    assert "production" not in {*mine.values(), *base.values(), *container.values()}


def test_a_container_that_runs_already_is_not_started() -> None:
    assert set(specs("--user-port", "9000")) == {"gateway", "page", "sidecar"}


def test_the_sidecar_is_configured_by_variables() -> None:
    found = specs("--workers", "7")["sidecar"]
    assert list(found.command[-2:]) == ["-m", "dequeuer"]
    env = found.environment
    assert (env["DEQUEUER_API_KIND"], env["DEQUEUER_WORKERS"], env["DEQUEUER_USER_PORT"]) == ("async", "7", "4004")
    assert (env["DEQUEUER_CLUSTER_UID"], env["DEQUEUER_BUCKET"]) == ("dev", "dequeuer-dev")
    assert env["DEQUEUER_ADMIN_HOST"] == "127.0.0.1"


def test_what_the_users_commands_inherit_has_the_local_account_and_no_settings_of_ours() -> None:
    env = environment.user_environment(USERS, "http://127.0.0.1:4001")
    assert aws_of(env) == ALLOWED_AWS
    assert not {name for name in env if name.startswith(("DEQUEUER_", "CORTEX_"))}
    assert (env["MODEL_PATH"], env["NO_PROXY"]) == ("/models", "intranet,127.0.0.1,localhost")


@pytest.mark.parametrize(
    ("users", "upper", "lower"),
    [
        ({}, "", ""),
        ({"NO_PROXY": "corp"}, "corp,", "corp,"),
        ({"no_proxy": "corp"}, "corp,", "corp,"),
        ({"NO_PROXY": "a", "no_proxy": "b"}, "a,", "b,"),
    ],
)
def test_hosts_that_the_user_reaches_directly_stay_so_under_both_names(
    users: dict[str, str], upper: str, lower: str
) -> None:
    env = environment.user_environment(users, "http://127.0.0.1:4001")
    assert (env["NO_PROXY"], env["no_proxy"]) == (f"{upper}127.0.0.1,localhost", f"{lower}127.0.0.1,localhost")


def test_the_watchdog_finds_every_process_of_a_run() -> None:
    users = {**USERS, MARKER: "123"}
    for env in (
        environment.base_environment(users, Path("/somewhere")),
        environment.user_environment(users, "http://127.0.0.1:4001"),
        environment.container_environment(users, "http://127.0.0.1:4001", 1),
    ):
        assert env[MARKER] == "123"


def test_ports_are_given_or_free_and_all_different() -> None:
    chosen = Addresses.choose(parse(["--port", "4100", "--user-port", "4200", "--aws-port", "4300"]))
    assert (chosen.gateway, chosen.user, chosen.aws) == (4100, 4200, 4300)
    assert len({chosen.aws, chosen.gateway, chosen.admin, chosen.gateway_admin, chosen.user}) == 5
