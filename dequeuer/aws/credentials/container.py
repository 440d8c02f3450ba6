"""Keys of EKS Pod Identity and of ECS tasks, from an agent on the node over HTTP.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from dequeuer.aws.credentials.base import (
    CredentialsUrl,
    fetch_or_unavailable,
    keys_of,
    parse_url,
    read_token,
    server_time,
)
from dequeuer.aws.credentials.renewal import FrozenKeys
from dequeuer.core.errors import ConfigurationError, CredentialsUnavailableError
from dequeuer.core.retry import Backoff, RetryPolicy

RELATIVE, FULL = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"
TOKEN, TOKEN_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
TIMEOUT_S = 2.0
RETRIES = RetryPolicy(backoff=Backoff(initial_s=1.0, max_s=1.0, min_share=1.0), max_attempts=3)
"""As in botocore: on a new node the agent may start later than the pod."""
_TASKS = "http://169.254.170.2"
_HOSTS = ("169.254.170.2", "169.254.170.23", "fd00:ec2::23", "localhost")
_NAMES = ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")


class ContainerKeys:
    """`CredentialChain`. The token file is read each time, because the kubelet replaces the token.

    Raises:
        ConfigurationError: the URL is invalid, or is http:// for a host that needs https://.
    """

    def __init__(self, environ: Mapping[str, str], tls: ssl.SSLContext) -> None:
        self._environ = environ
        relative = environ.get(RELATIVE)
        name, url = (RELATIVE, _TASKS + relative) if relative else (FULL, environ[FULL])
        try:
            self._url = _allowed(url, tls)
        except ValueError as error:
            raise ConfigurationError([f"{name}: {error}"]) from None

    async def get_frozen_credentials(self) -> FrozenKeys:
        """Fetch keys from the agent. Raises `CredentialsUnavailableError`."""
        return await RETRIES.call(_TransientError, self._ask)

    async def _ask(self) -> FrozenKeys:
        token = await asyncio.to_thread(self._token)
        fields = [("accept", "application/json")]
        if token is not None:
            fields.append(("authorization", token))
        try:
            reply = await fetch_or_unavailable(
                self._url, "GET", "container credentials", timeout_s=TIMEOUT_S, fields=fields
            )
        except CredentialsUnavailableError as error:
            raise _TransientError(str(error)) from error
        if reply.status != 200:
            raise _TransientError(f"container credentials: {self._url.origin.authority} answers {reply.status}")
        try:
            found = json.loads(reply.body)
        except ValueError:
            raise _TransientError("container credentials: a response that is not JSON") from None
        if not isinstance(found, dict):
            raise CredentialsUnavailableError("container credentials: a response that is not a JSON object")
        return keys_of(found, _NAMES, server_time(reply), "container credentials")

    def _token(self) -> str | None:
        if file := self._environ.get(TOKEN_FILE):
            token: str | None = read_token(Path(file), TOKEN_FILE)
        else:
            token = self._environ.get(TOKEN) or None
        if token is not None and ("\r" in token or "\n" in token):
            raise CredentialsUnavailableError("the authorization token for container credentials has a line break")
        return token


class _TransientError(CredentialsUnavailableError):
    """The agent may respond at the next attempt."""


def _allowed(url: str, tls: ssl.SSLContext) -> CredentialsUrl:
    """Return server and target of the URL. Raises `ValueError` when it is invalid or not allowed.

    Over HTTP, token and keys are not encrypted, so HTTP is allowed only to addresses of the node or pod.
    """
    parsed = parse_url(url, tls)
    host = urlsplit(url).hostname or ""
    if parsed.origin.tls is not None or host in _HOSTS or _is_loopback(host):
        return parsed
    raise ValueError(f"http:// is only for a loopback address, {', '.join(_HOSTS)}; use https:// for other hosts")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
