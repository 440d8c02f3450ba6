"""Ours and botocore's providers in the same environment, against the same servers: the same keys or the same error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import botocore.session
import pytest
from botocore.utils import ContainerMetadataFetcher
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dequeuer.aws.credentials import chain, container
from dequeuer.aws.credentials.web_identity import sts_url
from dequeuer.core.errors import ConfigurationError
from dequeuer.core.retry import Backoff
from tests.aws.credentials.judge import TLS, Found, botocores, environment, ours
from tests.aws.credentials.server import (
    CUT,
    NEVER,
    ROLE_PATH,
    Server,
    Teach,
    assumed,
    found,
    imds,
    instant,
    refused,
    serving,
)

ROLE = "arn:aws:iam::123456789012:role/api"
Variables = dict[str, str]
OFF = {"AWS_EC2_METADATA_DISABLED": "true"}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ContainerMetadataFetcher, "SLEEP_TIME", 0)
    monkeypatch.setattr(container, "RETRIES", replace(container.RETRIES, backoff=Backoff(initial_s=0.0, max_s=0.0)))


@pytest.fixture(params=["127.0.0.1", "::1"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with serving(request.param) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Variables:
    (tmp_path / "token").write_text("ey.J-web.identity+/=", encoding="utf-8")
    return {"HOME": str(tmp_path)}


def judged(variables: Variables, server: Server) -> object:
    """Return what both found. Check that it is the same, and that both sent the same requests."""
    answers = {what: list(answer) for what, answer in server.answers.items()}
    theirs = botocores(variables)
    asked = list(server.requests)
    server.requests.clear()
    server.answers = answers
    mine = ours(variables)
    assert mine == theirs
    for requests in [*asked, *server.requests]:
        # The default name contains the time.
        if "AWS_ROLE_SESSION_NAME" not in variables:
            requests.form.pop("RoleSessionName", None)
    first = {(requests.method, requests.path): requests for requests in reversed(asked)}
    assert {(requests.method, requests.path): requests for requests in reversed(server.requests)} == first
    return mine


# Keys in the environment


@pytest.mark.parametrize(
    "variables",
    [
        {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s"},
        {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"},
        {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SECURITY_TOKEN": "old"},
        {
            "AWS_ACCESS_KEY_ID": "AKID",
            "AWS_SECRET_ACCESS_KEY": "s",
            "AWS_SESSION_TOKEN": "t",
            "AWS_SECURITY_TOKEN": "old",
        },
        {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "", "AWS_SECURITY_TOKEN": ""},
        {"AWS_ACCESS_KEY_ID": "AKID"},
        {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": ""},
        {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "s", **OFF},
        {"AWS_SECRET_ACCESS_KEY": "s", **OFF},
        {
            "AWS_ACCESS_KEY_ID": "AKID",
            "AWS_SECRET_ACCESS_KEY": "s",
            "AWS_CREDENTIAL_EXPIRATION": "2099-01-31T12:00:00Z",
        },
        {
            "AWS_ACCESS_KEY_ID": "AKID",
            "AWS_SECRET_ACCESS_KEY": "s",
            "AWS_CREDENTIAL_EXPIRATION": "2099-01-31T12:00:00+02:00",
        },
        {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s", "AWS_CREDENTIAL_EXPIRATION": "soon"},
        dict(OFF),
        {"AWS_EC2_METADATA_DISABLED": "TRUE"},
    ],
)
def test_keys_in_the_environment(variables: Variables, home: Variables) -> None:
    with serving() as server:
        judged(home | variables, server)
        assert server.requests == []


# Web identity


def irsa(server: Server, home: Variables, **more: str) -> Variables:
    server.answers.setdefault("POST /", [(200, assumed())])
    return {
        **home,
        "AWS_ENDPOINT_URL_STS": server.url,
        "AWS_ROLE_ARN": ROLE,
        "AWS_WEB_IDENTITY_TOKEN_FILE": f"{home['HOME']}/token",
        **more,
    }


def test_web_identity(server: Server, home: Variables) -> None:
    keys = judged(irsa(server, home), server)
    assert isinstance(keys, Found)
    assert keys[:3] == ("ASIAASSUMED", "secret/assumed+", "token==")
    [requests] = server.requests
    assert requests.form == {
        "Action": ["AssumeRoleWithWebIdentity"],
        "Version": ["2011-06-15"],
        "RoleArn": [ROLE],
        "WebIdentityToken": ["ey.J-web.identity+/="],
    }
    assert "authorization" not in requests.fields


@pytest.mark.parametrize(
    ("more", "outcome"),
    [
        ({"AWS_ROLE_SESSION_NAME": "my-session"}, "keys"),
        ({"AWS_ROLE_SESSION_NAME": "x"}, "configuration"),
        ({"AWS_ROLE_ARN": ""}, "configuration"),
        ({"AWS_ROLE_ARN": "arn:short"}, "configuration"),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere/token"}, "unavailable"),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "", **OFF}, "missing"),
        ({"AWS_STS_REGIONAL_ENDPOINTS": "legacy"}, "keys"),
        ({"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s"}, "keys"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/"}, "keys"),
    ],
)
def test_variables_of_web_identity(more: Variables, outcome: str, server: Server, home: Variables) -> None:
    seen = judged(irsa(server, home, **more), server)
    assert ("keys" if isinstance(seen, Found) else seen) == outcome


@pytest.mark.parametrize("content", ["", "abc", "abcd", "line\n", " spaces ", "ü-not-ascii", "x" * 20_000])
def test_tokens(content: str, server: Server, home: Variables) -> None:
    Path(home["HOME"], "token").write_text(content, encoding="utf-8")
    judged(irsa(server, home), server)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ((200, assumed(instant(900))), "keys"),
        ((200, assumed(instant(600))), "keys"),
        ((200, assumed("2099-01-31T12:00:00+01:00")), "keys"),
        ((200, assumed("2099-01-31T12:00:00.123Z")), "keys"),
        ((200, assumed(instant(-5))), "unavailable"),
        ((200, assumed("tomorrow")), "unavailable"),
        ((200, b""), "unavailable"),
        ((200, b"<html>"), "unavailable"),
        ((200, b"<AssumeRoleWithWebIdentityResponse/>"), "unavailable"),
        ((403, refused("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")), "missing"),
        ((400, refused("InvalidIdentityToken")), "unavailable"),
        ((400, refused("ExpiredTokenException")), "unavailable"),
        ((400, refused("IDPCommunicationError")), "unavailable"),
        ((400, refused("Throttling")), "unavailable"),
        ((400, b"not xml"), "unavailable"),
        ((500, b""), "unavailable"),
        ((503, refused("ServiceUnavailable")), "unavailable"),
        ((302, b""), "unavailable"),
        (CUT, "unavailable"),
    ],
)
def test_answers_of_sts(answer: tuple[int, bytes], outcome: str, home: Variables) -> None:
    with serving() as server:
        server.answer("POST /", answer)
        seen = judged(irsa(server, home), server)
        assert ("keys" if isinstance(seen, Found) else seen) == outcome


def test_an_sts_that_is_not_there(home: Variables) -> None:
    with serving() as server:
        variables = irsa(server, home, AWS_ENDPOINT_URL_STS="http://127.0.0.1:1")
        assert judged(variables, server) == "unavailable"


REGIONS = sorted(
    {
        name
        for partition in ("aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc")
        for name in botocore.session.Session().get_available_regions("sts", partition)
    }
)


@pytest.mark.parametrize("mode", ["", "legacy", "regional"])
def test_where_sts_is_in_every_region(mode: str, home: Variables) -> None:
    assert len(REGIONS) > 30
    with environment(home | {"AWS_STS_REGIONAL_ENDPOINTS": mode}):
        for region in [*REGIONS, "aws-global"]:
            client = botocore.session.Session().create_client("sts", region_name=region)
            resolved = client._resolve_endpoint_ruleset(
                client.meta.service_model.operation_model("GetCallerIdentity"), {}, {"client_region": region}
            )
            assert sts_url({"AWS_STS_REGIONAL_ENDPOINTS": mode}, region) == resolved[0], region


@pytest.mark.parametrize(
    "variables",
    [
        {"AWS_ENDPOINT_URL_STS": "http://sts.local:1"},
        {"AWS_ENDPOINT_URL": "http://all.local:1"},
        {"AWS_ENDPOINT_URL": "http://all.local:1", "AWS_ENDPOINT_URL_STS": "http://sts.local:1"},
        {"AWS_ENDPOINT_URL": "http://all.local:1", "AWS_ENDPOINT_URL_STS": ""},
        {"AWS_ENDPOINT_URL": "http://all.local:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
        {"AWS_ENDPOINT_URL_STS": "http://sts.local:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "TRUE"},
        {"AWS_ENDPOINT_URL_STS": "http://sts.local:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "no"},
        {"AWS_ENDPOINT_URL_SQS": "http://sqs.local:1"},
    ],
)
def test_the_endpoint_of_sts_is_that_of_botocore(variables: Variables, home: Variables) -> None:
    with environment(home | variables):
        client = botocore.session.Session().create_client("sts", region_name="eu-west-1")
        assert sts_url(variables, "eu-west-1") == client.meta.endpoint_url


def test_a_mode_of_sts_that_is_none(home: Variables) -> None:
    with serving() as server:
        variables = irsa(server, home, AWS_STS_REGIONAL_ENDPOINTS="global", AWS_ENDPOINT_URL_STS="")
        assert judged(variables, server) == "configuration"
    with pytest.raises(ConfigurationError, match="AWS_STS_REGIONAL_ENDPOINTS"):
        sts_url(variables, "eu-west-1")


# Containers


def agent(server: Server, home: Variables, **more: str) -> Variables:
    server.answers.setdefault("GET /v1/credentials", [(200, found())])
    return {**home, "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/v1/credentials", **more}


def test_container_credentials(server: Server, home: Variables) -> None:
    keys = judged(agent(server, home), server)
    assert isinstance(keys, Found)
    assert keys[:3] == ("ASIAFOUND", "secret/found", "token==")


@pytest.mark.parametrize(
    ("more", "outcome"),
    [
        ({"AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic abc"}, "keys"),
        ({"AWS_CONTAINER_AUTHORIZATION_TOKEN": "a\nb"}, "unavailable"),
        ({"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "~token"}, "keys"),
        ({"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "~token", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "other"}, "keys"),
        ({"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/nowhere"}, "unavailable"),
    ],
)
def test_authorization_of_a_container(more: Variables, outcome: str, server: Server, home: Variables) -> None:
    more = {name: value.replace("~", f"{home['HOME']}/") for name, value in more.items()}
    seen = judged(agent(server, home, **more), server)
    assert ("keys" if isinstance(seen, Found) else seen) == outcome


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "http://10.0.0.1/",
        "http://169.254.170.3/",
        "http://localhost.example.com/",
        "http://127.0.0.1.example.com/",
        "http://0x7f000001/",
        "ftp://127.0.0.1/",
        "/relative",
        "http:///nohost",
        "localhost/x",
    ],
)
def test_hosts_that_are_not_asked_for_container_credentials(url: str, home: Variables) -> None:
    with serving() as server:
        variables = home | {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url}
        # For an unknown scheme, botocore raises its error later.
        assert ours(variables) == "configuration"
        assert botocores(variables) in ("configuration", "unavailable")
        assert server.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.170.2/x",
        "http://169.254.170.23/v1/credentials",
        "http://[fd00:ec2::23]/v1/credentials",
        "http://localhost/x",
        "http://LOCALHOST/x",
        "http://127.8.9.1/x",
        "http://[::1]:80/x",
        "https://example.com/x",
        "https://10.0.0.1:8443/x",
    ],
)
def test_hosts_that_may_be_asked(url: str) -> None:
    ContainerMetadataFetcher()._validate_allowed_url(url)
    variables = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url}
    assert chain.make("container", variables, region="r", tls=TLS) is not None


@pytest.mark.parametrize(
    "answers",
    [
        [(200, found(Expiration=instant(600)))],
        [(200, found(Expiration=instant(-60)))],
        [(200, found(Expiration=...))],
        [(200, found(Token=...))],
        [(200, found(AccessKeyId=...))],
        [(200, found(Code=..., Type=..., AccountId="123456789012"))],
        [(500, b"no"), (200, found())],
        [(500, b"no"), CUT, (200, found())],
        [(400, b"AccessDenied")],
        [(200, b"no json")],
        [(200, b"[]")],
        [(200, b"")],
        [(404, b"")],
        [CUT],
    ],
)
def test_answers_of_an_agent(answers: list[tuple[int, bytes]], home: Variables) -> None:
    with serving() as server:
        server.answer("GET /v1/credentials", *answers)
        judged(agent(server, home), server)


def test_a_relative_uri_is_asked_at_the_address_of_ecs(
    server: Server, home: Variables, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = server.url.removeprefix("http://")
    monkeypatch.setattr(ContainerMetadataFetcher, "IP_ADDRESS", authority)
    monkeypatch.setattr(container, "_TASKS", server.url)
    server.answer("GET /v2/credentials/uuid?a=b", (200, found()))
    variables = home | {
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/uuid?a=b",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/",
    }
    assert isinstance(judged(variables, server), Found)


# IMDS


def node(server: Server, home: Variables, **more: str) -> Variables:
    return {**home, "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url, **more}


def test_imds(server: Server, home: Variables) -> None:
    imds(server)
    keys = judged(node(server, home), server)
    assert isinstance(keys, Found)
    assert keys[:3] == ("ASIAFOUND", "secret/found", "token==")
    assert [requests.method for requests in server.requests] == ["PUT", "GET", "GET"]


def _set(what: str, *answers: tuple[int, bytes]) -> Teach:
    return lambda server: server.answer(what, *answers)


TOKEN, ROLES, ROLE_KEYS = "PUT /latest/api/token", f"GET {ROLE_PATH}", f"GET {ROLE_PATH}node-role"


@pytest.mark.parametrize(
    ("teach", "more"),
    [
        (_set(TOKEN, (403, b"")), {}),
        (_set(TOKEN, (404, b"")), {}),
        (_set(TOKEN, (405, b"")), {}),
        (_set(TOKEN, (400, b"")), {}),
        (_set(TOKEN, (500, b"")), {}),
        (_set(TOKEN, (500, b""), (200, b"second")), {"AWS_METADATA_SERVICE_NUM_ATTEMPTS": "2"}),
        (_set(TOKEN, CUT), {}),
        (_set(TOKEN, NEVER), {}),
        (_set(TOKEN, NEVER), {"AWS_METADATA_SERVICE_NUM_ATTEMPTS": "3"}),
        (_set(TOKEN, (403, b"")), {"AWS_EC2_METADATA_V1_DISABLED": "true"}),
        (_set(TOKEN, (404, b"")), {"AWS_EC2_METADATA_V1_DISABLED": "True"}),
        (_set(ROLES, (404, b"")), {}),
        (_set(ROLES, (200, b"")), {}),
        (_set(ROLES, (401, b"")), {}),
        (_set(ROLES, (500, b""), (200, b"node-role")), {"AWS_METADATA_SERVICE_NUM_ATTEMPTS": "2"}),
        (_set(ROLES, (500, b""), (200, b"node-role")), {}),
        (_set(ROLE_KEYS, (200, b"no json")), {}),
        (_set(ROLE_KEYS, (200, b"no json"), (200, found())), {"AWS_METADATA_SERVICE_NUM_ATTEMPTS": "2"}),
        (_set(ROLE_KEYS, (200, found(Token=...))), {}),
        (_set(ROLE_KEYS, (200, b'{"Code": "AssumeRoleUnauthorizedAccess", "Message": "no"}')), {}),
        (_set(ROLE_KEYS, (500, b"")), {}),
        (_set(ROLE_KEYS, CUT), {}),
        (lambda _: None, OFF),
        (lambda _: None, {"AWS_METADATA_SERVICE_TIMEOUT": "soon"}),
        (lambda _: None, {"AWS_METADATA_SERVICE_NUM_ATTEMPTS": "1.5"}),
        (lambda _: None, {"AWS_METADATA_SERVICE_TIMEOUT": "5", "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "3"}),
        (lambda _: None, {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}),
        (lambda _: None, {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "ipv7"}),
        (lambda _: None, {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "not a url"}),
    ],
)
def test_answers_of_imds(teach: Callable[[Server], None], more: Variables, home: Variables) -> None:
    with serving() as server:
        imds(server)
        teach(server)
        judged(node(server, home, **more), server)


def test_without_an_imds_it_is_over_in_seconds(home: Variables) -> None:
    with serving() as server:
        variables = node(server, home, AWS_EC2_METADATA_SERVICE_ENDPOINT="http://127.0.0.1:1")
        assert judged(variables, server) == "missing"


def test_an_endpoint_with_a_path(home: Variables) -> None:
    with serving() as server:
        imds(server)
        server.answers = {what.replace(" /", " /proxy/"): answer for what, answer in server.answers.items()}
        for path in ("/proxy", "/proxy/"):
            variables = node(server, home, AWS_EC2_METADATA_SERVICE_ENDPOINT=server.url + path)
            assert isinstance(judged(variables, server), Found)
            server.requests.clear()


@pytest.mark.parametrize("left_s", [-3600, 0, 600, 1000])
def test_keys_of_imds_that_end_soon_are_used_on(left_s: float, home: Variables) -> None:
    with serving() as server:
        imds(server, found(Expiration=instant(left_s)))
        for ask in (botocores, ours):
            keys = ask(node(server, home))
            assert isinstance(keys, Found)
            assert keys.expires_at is not None
            assert 900 + 120 - 5 <= keys.expires_at - time.time() <= 900 + 600 + 5


# Everything at once


def _maybe(*values: str) -> st.SearchStrategy[str | None]:
    return st.one_of(st.none(), st.sampled_from(values))


@given(
    variables=st.fixed_dictionaries(
        {
            "AWS_ACCESS_KEY_ID": _maybe("AKID", ""),
            "AWS_SECRET_ACCESS_KEY": _maybe("secret", ""),
            "AWS_SESSION_TOKEN": _maybe("t", ""),
            "AWS_SECURITY_TOKEN": _maybe("old"),
            "AWS_ROLE_ARN": _maybe(ROLE, ""),
            "AWS_ROLE_SESSION_NAME": _maybe("name"),
            "AWS_WEB_IDENTITY_TOKEN_FILE": _maybe("~/token", "~/absent", ""),
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": _maybe("$/v1/credentials", "http://example.com/"),
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": _maybe("token"),
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": _maybe("~/token"),
            "AWS_EC2_METADATA_DISABLED": _maybe("true", "false"),
            "AWS_EC2_METADATA_V1_DISABLED": _maybe("true", "false"),
        }
    )
)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_environment(variables: dict[str, str | None], home: Variables) -> None:
    with serving() as server:
        imds(server)
        replaced = {
            name: value.replace("~", home["HOME"]).replace("$", server.url)
            for name, value in variables.items()
            if value is not None
        }
        given = agent(server, irsa(server, node(server, home)))
        for name in ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"):
            del given[name]
        judged(given | replaced, server)
