import pytest

from dequeuer.aws.choice import connect, needs_sdk
from dequeuer.settings import AwsSettings
from dequeuer.settings.model import AwsClient

WHERE = AwsSettings(region="eu-west-1", endpoint_url=None, endpoint_url_sqs=None, endpoint_url_s3=None)
KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"])
def test_a_proxy_needs_the_sdk(name: str) -> None:
    assert needs_sdk({name: "http://proxy:3128"}) == name
    assert needs_sdk({name: ""}) is None


@pytest.mark.parametrize("name", ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"])
def test_other_endpoints_need_the_sdk(name: str) -> None:
    assert needs_sdk({name: "true"}) == needs_sdk({name: "True"}) == name
    assert needs_sdk({name: "false"}) is None


@pytest.mark.parametrize(
    ("client", "environ", "made"),
    [
        ("auto", {}, "SlimAws"),
        ("auto", {"HTTPS_PROXY": "http://proxy"}, "Aws"),
        ("slim", {"HTTPS_PROXY": "http://proxy"}, "SlimAws"),
        ("sdk", {}, "Aws"),
    ],
)
def test_what_is_asked_for_is_made(client: AwsClient, environ: dict[str, str], made: str) -> None:
    assert type(connect(WHERE, client, KEYS | environ)).__name__ == made
