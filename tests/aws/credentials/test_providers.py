"""What our providers do and those of botocore do not: wrong clocks, replaced tokens, no secrets in errors."""

import asyncio
import ssl
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dequeuer.aws.credentials import chain, container
from dequeuer.aws.credentials.renewal import Keys
from dequeuer.core.errors import ConfigurationError, CredentialsMissingError, CredentialsUnavailableError, DequeuerError
from dequeuer.core.retry import Backoff
from tests.aws.credentials.server import (
    NEVER,
    ROLE_PATH,
    Server,
    assumed,
    found,
    imds,
    instant,
    refused,
    serving,
)

TLS = ssl.create_default_context()
ROLE = "arn:aws:iam::123456789012:role/api"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        running.answer("POST /", (200, assumed()))
        running.answer("GET /agent", (200, found()))
        imds(running)
        yield running


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "RETRIES", replace(container.RETRIES, backoff=Backoff(initial_s=0.0, max_s=0.0)))


def variables(kind: str, server: Server, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "token").write_text("identity-token", encoding="utf-8")
    home = {"HOME": str(tmp_path)}
    return (
        home
        | {
            "web_identity": {
                "AWS_ROLE_ARN": ROLE,
                "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
                "AWS_ENDPOINT_URL_STS": server.url,
            },
            "container": {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/agent",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token"),
            },
            # A busy machine must not run into the second that is the default: without a token IMDSv1 would be asked.
            "imds": {"AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url, "AWS_METADATA_SERVICE_TIMEOUT": "60"},
        }[kind]
    )


def provider(environ: dict[str, str]) -> Any:
    made = chain.make(chain.choose(environ).provider, environ, region="eu-west-1", tls=TLS)
    assert made is not None
    return made


@pytest.mark.parametrize("kind", ["web_identity", "container"])
async def test_a_token_that_was_replaced_is_read_again(kind: str, server: Server, tmp_path: Path) -> None:
    made = provider(variables(kind, server, tmp_path))
    await made.get_frozen_credentials()
    (tmp_path / "token").write_text("another-token", encoding="utf-8")
    await made.get_frozen_credentials()
    sent = [
        requests.form.get("WebIdentityToken", [requests.fields.get("authorization")])[0] for requests in server.requests
    ]
    assert sent == ["identity-token", "another-token"]


@pytest.mark.parametrize("off_s", [-7200, 7200])
@pytest.mark.parametrize("kind", ["web_identity", "container", "imds"])
async def test_the_lifetime_of_keys_is_computed_with_the_clock_of_their_server(
    kind: str, off_s: float, tmp_path: Path
) -> None:
    with serving(date_off_s=off_s) as server:
        server.answer("POST /", (200, assumed(instant(off_s + 3600))))
        server.answer("GET /agent", (200, found(Expiration=instant(off_s + 3600))))
        imds(server, found(Expiration=instant(off_s + 3600)))
        keys = await provider(variables(kind, server, tmp_path)).get_frozen_credentials()
        assert isinstance(keys, Keys)
        assert keys.lifetime_s == pytest.approx(3600, abs=5)
        assert keys.expires_at == pytest.approx(time.time() + off_s + 3600, abs=5)


SECRETS = ("identity-token", "secret/found", "secret/assumed", "token==", "ASIA", "session-token")


@pytest.mark.parametrize(
    ("kind", "what", "answer"),
    [
        ("web_identity", "POST /", (403, refused("AccessDenied", "for identity-token"))),
        ("web_identity", "POST /", (400, refused("identity-token", "for identity-token"))),
        ("web_identity", "POST /", (200, assumed("secret/assumed"))),
        ("web_identity", "POST /", (200, b"identity-token")),
        ("container", "GET /agent", (401, b"identity-token")),
        ("container", "GET /agent", (200, b"identity-token")),
        ("container", "GET /agent", (200, found(Expiration="secret/found"))),
        ("container", "GET /agent", (200, found(Token=["token=="]))),
        ("imds", f"GET {ROLE_PATH}node-role", (200, found(Token=...))),
        ("imds", f"GET {ROLE_PATH}node-role", (200, found(Expiration="secret/found"))),
        ("imds", f"GET {ROLE_PATH}node-role", (200, b'{"Code": "session-token", "Message": "token=="}')),
        ("imds", "PUT /latest/api/token", (200, b"session-token\r\nx: y")),
    ],
)
async def test_no_secret_is_logged_when_an_error_occurs(
    kind: str, what: str, answer: tuple[int, bytes], server: Server, tmp_path: Path
) -> None:
    server.answer(what, answer)
    made = provider(variables(kind, server, tmp_path))
    with pytest.raises(DequeuerError) as caught:
        await made.get_frozen_credentials()
    text = "".join(traceback.format_exception(caught.value)) + repr(made)
    # A traceback quotes lines of source code; those of this test contain none of the secrets.
    assert not [secret for secret in SECRETS if secret in text.replace("_session_token", "")]


async def test_nothing_of_the_keys_is_in_their_representation(server: Server, tmp_path: Path) -> None:
    keys = await provider(variables("web_identity", server, tmp_path)).get_frozen_credentials()
    assert not [secret for secret in SECRETS if secret in repr(keys)]


@pytest.mark.parametrize("kind", ["web_identity", "container", "imds"])
async def test_an_answer_without_end_is_not_read(kind: str, server: Server, tmp_path: Path) -> None:
    for what in ("POST /", "GET /agent", f"GET {ROLE_PATH}node-role"):
        server.answer(what, (200, b"x" * 1_000_000))
    with pytest.raises(CredentialsUnavailableError):
        await provider(variables(kind, server, tmp_path)).get_frozen_credentials()


async def test_no_connection_stays_open(server: Server, tmp_path: Path) -> None:
    before = len(asyncio.all_tasks())
    for kind in ("web_identity", "container", "imds"):
        await provider(variables(kind, server, tmp_path)).get_frozen_credentials()
    assert len(asyncio.all_tasks()) == before


async def test_an_imds_that_never_responds_is_given_up_within_seconds(server: Server, tmp_path: Path) -> None:
    server.answer("PUT /latest/api/token", NEVER)
    server.answer(f"GET {ROLE_PATH}", NEVER)
    with pytest.raises(CredentialsMissingError, match=r"IMDS \(127.0.0.1:\d+\) returned none.*Give the pod a role"):
        by_default = {**variables("imds", server, tmp_path), "AWS_METADATA_SERVICE_TIMEOUT": "1"}
        await provider(by_default).get_frozen_credentials()
    assert [requests.method for requests in server.requests] == ["PUT", "GET"]


async def test_the_error_names_the_variable_that_disables_imds(tmp_path: Path) -> None:
    made = provider({"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"})
    with pytest.raises(CredentialsMissingError, match="AWS_EC2_METADATA_DISABLED"):
        await made.get_frozen_credentials()


async def test_a_role_that_sts_does_not_allow_names_the_policy_to_look_at(server: Server, tmp_path: Path) -> None:
    server.answer("POST /", (403, refused("AccessDenied")))
    with pytest.raises(CredentialsMissingError, match=f"{ROLE}: 403 AccessDenied. Check the trust policy of the role"):
        await provider(variables("web_identity", server, tmp_path)).get_frozen_credentials()


async def test_keys_of_the_environment_that_have_ended_are_missing(tmp_path: Path) -> None:
    environ = {
        "AWS_ACCESS_KEY_ID": "AKID",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_CREDENTIAL_EXPIRATION": "2020-01-31T12:00:00Z",
    }
    with pytest.raises(CredentialsMissingError, match="have expired"):
        await provider(environ).get_frozen_credentials()


def test_every_fault_of_web_identity_is_reported_at_once() -> None:
    environ = {
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/x",
        "AWS_ROLE_ARN": "short",
        "AWS_ROLE_SESSION_NAME": "x",
        "AWS_ENDPOINT_URL_STS": "no url",
    }
    with pytest.raises(ConfigurationError) as caught:
        provider(environ)
    assert [fault.split(":")[0] for fault in caught.value.faults] == [
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_ENDPOINT_URL_STS (or AWS_ENDPOINT_URL)",
    ]
