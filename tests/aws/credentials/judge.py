"""Credentials of botocore's chain and of ours for the same environment."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, NamedTuple

import botocore.exceptions as wrong
from botocore.session import Session

from dequeuer.aws.credentials import chain
from dequeuer.aws.credentials.renewal import CredentialsCache, Keys
from dequeuer.core.errors import ConfigurationError, CredentialsMissingError, CredentialsUnavailableError

REGION = "eu-west-1"
Failure = Literal["missing", "unavailable", "configuration"]
_CONFIGURATION = (
    wrong.PartialCredentialsError,
    wrong.InvalidConfigError,
    wrong.InvalidIMDSEndpointError,
    wrong.InvalidIMDSEndpointModeError,
    wrong.InvalidSTSRegionalEndpointsConfigError,
    ValueError,
)
TLS = ssl.create_default_context()


class Found(NamedTuple):
    """Keys that would sign a request."""

    access_key: str
    secret_key: str
    token: str | None
    expires_at: float | None


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Run with these environment variables and no others."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def botocores(variables: Mapping[str, str]) -> Found | Failure:  # noqa: PLR0911 - a table of errors
    """Return what the whole chain of botocore finds."""
    with environment({"AWS_DEFAULT_REGION": REGION, "AWS_MAX_ATTEMPTS": "1", **variables}):
        try:
            credentials = Session().get_credentials()
        except _CONFIGURATION as error:
            is_read_later = isinstance(error, UnicodeError) or "Auth token value" in str(error)
            return "unavailable" if is_read_later else "configuration"
        except Exception:  # noqa: BLE001 - botocore raises errors of any type, including KeyError
            return "unavailable"
        if credentials is None:
            return "missing"
        try:
            keys = credentials.get_frozen_credentials()
        except wrong.ClientError as error:
            return "missing" if error.response["Error"]["Code"] == "AccessDenied" else "unavailable"
        except wrong.ParamValidationError as error:
            # The token is read each time; role and session name do not change.
            return "unavailable" if "WebIdentityToken" in str(error) else "configuration"
        except wrong.InvalidSTSRegionalEndpointsConfigError:
            return "configuration"
        except Exception:  # noqa: BLE001 - see above
            return "unavailable"
        ends = getattr(credentials, "_expiry_time", None)
        return Found(keys.access_key, keys.secret_key, keys.token, None if ends is None else ends.timestamp())


def ours(variables: Mapping[str, str]) -> Found | Failure:
    """Return what our chain finds, without the SDK."""
    return asyncio.run(_ours(variables))


async def _ours(variables: Mapping[str, str]) -> Found | Failure:
    choice = chain.choose(variables)
    assert choice.provider != "sdk", choice
    try:
        provider = chain.make(choice.provider, variables, region=REGION, tls=TLS)
    except ConfigurationError as error:
        return "configuration" if all(fault.startswith("AWS_") for fault in error.faults) else "unavailable"
    assert provider is not None
    cache = CredentialsCache(provider, provider=choice.provider)
    try:
        await cache.wait_until_valid()
    except CredentialsMissingError:
        return "missing"
    except CredentialsUnavailableError:
        return "unavailable"
    finally:
        await cache.close()
    keys = cache.current()
    assert isinstance(keys, Keys)
    return Found(keys.access_key, keys.secret_key, keys.token, keys.expires_at)
