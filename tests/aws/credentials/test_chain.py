"""Which credential provider is used: decided from environment and files alone."""

import subprocess
import sys
from pathlib import Path

import pytest
from botocore.session import Session

from dequeuer.aws.credentials.chain import choose
from tests.aws.credentials.judge import botocores, environment
from tests.aws.credentials.server import serving

KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s"}
IRSA = {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/api", "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token"}
AGENT = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials"}
ECS = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/x"}
PROFILE = "[default]\naws_access_key_id = FILE\naws_secret_access_key = s\n"


@pytest.mark.parametrize(
    ("variables", "provider"),
    [
        (KEYS | IRSA | AGENT | ECS, "environment"),
        (IRSA | AGENT | ECS, "web_identity"),
        (AGENT, "container"),
        (ECS, "container"),
        ({}, "imds"),
        ({"AWS_PROFILE": "", "AWS_CONFIG_FILE": "", "BOTO_CONFIG": "", "AWS_CREDENTIAL_FILE": ""}, "imds"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "", "AWS_WEB_IDENTITY_TOKEN_FILE": ""}, "imds"),
    ],
)
def test_the_order_is_that_of_botocore(variables: dict[str, str], provider: str, tmp_path: Path) -> None:
    assert choose({"HOME": str(tmp_path), **variables}) == (provider, "")


@pytest.mark.parametrize("name", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
def test_a_profile_is_for_the_sdk_unless_there_are_keys(name: str, tmp_path: Path) -> None:
    variables = {"HOME": str(tmp_path), name: "work"}
    assert choose(variables | IRSA) == ("sdk", f"{name} is set")
    assert choose(variables | KEYS).provider == "environment"


@pytest.mark.parametrize(
    ("file", "content", "matters"),
    [
        ("credentials", PROFILE, True),
        ("credentials", "", False),
        ("credentials", "[other]\naws_access_key_id = x\n", False),
        ("config", "[default]\nregion = eu-west-1\noutput = json\ncli_pager =\n", False),
        ("config", "[default]\nregion = eu-west-1\nrole_arn = arn:x\nsource_profile = y\n", True),
        ("config", "[profile default]\ncredential_process = /bin/true\n", True),
        ("config", "[default]\nsso_session = x\n", True),
        ("config", "[default]\nweb_identity_token_file = x\n", True),
        ("config", "[default]\nmetadata_service_timeout = 5\n", True),
        ("config", "[default]\nsts_regional_endpoints = legacy\n", True),
        ("config", "[profile work]\nrole_arn = arn:x\n", False),
        ("config", "[default\n", True),
        ("config", "no section = x\n", True),
        ("config", "[default]\ns3 =\n  addressing_style = path\n", False),
    ],
)
def test_files_count_when_they_have_a_default_profile(file: str, content: str, matters: bool, tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    path = tmp_path / ".aws" / file
    path.write_text(content, encoding="utf-8")
    variables = {"HOME": str(tmp_path)}
    expected = ("sdk", f"{path} has a default profile") if matters else ("imds", "")
    assert choose(variables) == expected
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    name = "AWS_CONFIG_FILE" if file == "config" else "AWS_SHARED_CREDENTIALS_FILE"
    assert choose(variables).provider == "imds"
    assert choose(variables | {name: str(elsewhere)}).provider == ("sdk" if matters else "imds")


def test_a_file_that_is_no_text_matters_and_one_that_may_not_be_read_does_not(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(b"\xff\xfe\x00")
    assert choose({"HOME": str(tmp_path), "AWS_CONFIG_FILE": str(path)}).provider == "sdk"
    assert choose({"HOME": str(tmp_path), "AWS_CONFIG_FILE": str(tmp_path)}).provider == "imds"
    assert choose({"HOME": str(tmp_path), "AWS_CONFIG_FILE": "/nowhere"}).provider == "imds"
    assert choose({"HOME": str(tmp_path), "AWS_CONFIG_FILE": "~nobody-of-that-name/x"}).provider == "imds"


def test_files_of_older_tools_come_after_web_identity(tmp_path: Path) -> None:
    (tmp_path / ".boto").write_text("[Credentials]\n", encoding="utf-8")
    variables = {"HOME": str(tmp_path)}
    assert choose(variables) == ("sdk", f"{tmp_path}/.boto is there")
    assert choose(variables | {"BOTO_CONFIG": "/nowhere"}).provider == "imds"
    assert choose(variables | IRSA).provider == "web_identity"
    assert choose({"HOME": "/", "AWS_CREDENTIAL_FILE": "/x"} | AGENT) == ("sdk", "AWS_CREDENTIAL_FILE is set")


@pytest.mark.parametrize("file", ["credentials", "config"])
def test_where_the_sdk_is_taken_it_finds_what_comes_before_ours(file: str, tmp_path: Path) -> None:
    """The reason for the choice: botocore prefers the file to the agent."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / file).write_text(PROFILE, encoding="utf-8")
    with serving() as server:
        variables = {"HOME": str(tmp_path), "AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url}
        assert choose(variables).provider == "sdk"
        found = botocores(variables)
        assert found == ("FILE", "s", None, None)
        assert server.requests == []


def test_the_order_of_botocores_chain_is_the_one_we_know() -> None:
    """When botocore adds a provider, this test fails: the new one may come before one of ours."""
    with environment({"AWS_DEFAULT_REGION": "eu-west-1"}):
        providers = Session().get_component("credential_provider").providers
    assert [provider.METHOD for provider in providers] == [
        "env",
        "assume-role",
        "assume-role-with-web-identity",
        "sso",
        "shared-credentials-file",
        "login",
        "custom-process",
        "config-file",
        "ec2-credentials-file",
        "boto-config",
        "container-role",
        "iam-role",
    ]


@pytest.mark.parametrize("variables", [KEYS, IRSA, AGENT, {}])
def test_no_sdk_is_loaded_for_what_pods_have(variables: dict[str, str], tmp_path: Path) -> None:
    code = """
import os, sys
from dequeuer.clients.slim import SlimAws
from dequeuer.settings import AwsSettings
from tests.clients.test_slim import where
SlimAws(where(), dict(os.environ))
print(*sorted({name.partition(".")[0] for name in sys.modules} & {"aiobotocore", "botocore", "aiohttp", "boto3"}))
"""
    ran = subprocess.run(
        [sys.executable, "-c", code.replace("from tests.clients.test_slim import where", WHERE)],
        env={"HOME": str(tmp_path), "PYTHONPATH": ":".join([str(Path(__file__).parents[3]), *sys.path]), **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == ""


WHERE = """
where = lambda: AwsSettings(region="eu-west-1", endpoint_url=None, endpoint_url_sqs=None, endpoint_url_s3=None)
"""
