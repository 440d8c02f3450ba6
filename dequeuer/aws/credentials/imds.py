"""Keys of the role of an EC2 instance, from its metadata service (IMDS): version 2, or 1 when 2 is not available.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
"""

from __future__ import annotations

import json
import random
import ssl
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from dequeuer.aws.credentials.base import CredentialsUrl, fetch, keys_of, parse_url, server_time
from dequeuer.aws.credentials.renewal import FrozenKeys, Keys
from dequeuer.core.errors import ConfigurationError, CredentialsMissingError, CredentialsUnavailableError, clip
from dequeuer.http.errors import ConnectionBrokenError, HttpTransportError, ResponseTimeoutError, UnreachableError
from dequeuer.http.pool import Reply

ENDPOINT, MODE = "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"
TIMEOUT, ATTEMPTS = "AWS_METADATA_SERVICE_TIMEOUT", "AWS_METADATA_SERVICE_NUM_ATTEMPTS"
_URLS = {"ipv4": "http://169.254.169.254/", "ipv6": "http://[fd00:ec2::254]/"}
_ROLE_PATH = "latest/meta-data/iam/security-credentials/"
_SESSION_LIFE_S = "21600"
_NAMES = ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")
_TRANSIENT: Final = (UnreachableError, ConnectionBrokenError, ResponseTimeoutError)
EXTEND_EXPIRY_S = 900.0
"""Keys that expire within this time plus 2 to 10 minutes get a later expiry, as in botocore: when IMDS cannot get new
keys it returns the old ones, and AWS accepts these after their expiry."""


class ImdsKeys:
    """`CredentialChain`.

    Args:
        environ: with the variables `AWS_EC2_METADATA_*` and `AWS_METADATA_SERVICE_*`.
        tls: for an https endpoint.
        jitter: returns a random number from 0 to 1.

    Raises:
        ConfigurationError: a variable is invalid.
    """

    def __init__(
        self, environ: Mapping[str, str], tls: ssl.SSLContext, *, jitter: Callable[[], float] = random.random
    ) -> None:
        faults: list[str] = []
        self._jitter = jitter
        self._is_disabled = _is_true(environ, "AWS_EC2_METADATA_DISABLED")
        self._is_v1_disabled = _is_true(environ, "AWS_EC2_METADATA_V1_DISABLED")
        self._timeout_s = float(_whole(environ, TIMEOUT, faults))
        self._attempts = _whole(environ, ATTEMPTS, faults)
        mode = (environ.get(MODE) or _old_mode(environ)).lower()
        if mode not in _URLS:
            faults.append(f"{MODE}: {clip(mode)!r} is neither ipv4 nor ipv6")
        url = environ.get(ENDPOINT) or _URLS.get(mode, _URLS["ipv4"])
        self._base: CredentialsUrl | None = None
        try:
            self._base = parse_url(url if url.endswith("/") else f"{url}/", tls)
        except ValueError:
            faults.append(f"{ENDPOINT}: not the http:// or https:// URL of a server")
        if faults:
            raise ConfigurationError(faults)

    async def get_frozen_credentials(self) -> FrozenKeys:
        """Fetch the role and its keys. Takes a few seconds when there is no IMDS.

        Raises:
            CredentialsMissingError: there is no IMDS, or the instance has no role.
            CredentialsUnavailableError: its response is invalid.
        """
        if self._is_disabled:
            raise _missing("IMDS is switched off (AWS_EC2_METADATA_DISABLED)")
        token = await self._session_token()
        if token is None and self._is_v1_disabled:
            raise CredentialsUnavailableError("IMDS returned no session token, and version 1 is switched off")
        role = (await self._get(_ROLE_PATH, token, _is_filled)).body.decode("utf-8", "replace")
        reply = await self._get(_ROLE_PATH + quote(role, safe="/-_.~+=,@"), token, _is_json)
        found = json.loads(reply.body)
        if not isinstance(found, dict) or any(name not in found for name in _NAMES):
            raise _missing(f"IMDS has no credentials for the role{_code(found)}")
        return self._extended(keys_of(found, _NAMES, server_time(reply), "IMDS"))

    async def _session_token(self) -> str | None:
        """Return a session token of version 2; None: version 1 has to be used."""
        fields = [("x-aws-ec2-metadata-token-ttl-seconds", _SESSION_LIFE_S)]
        for _ in range(self._attempts):
            try:
                reply = await fetch(self._at("latest/api/token"), "PUT", timeout_s=self._timeout_s, fields=fields)
            except ResponseTimeoutError:
                # When there are more network hops to the pod than the instance allows, the response never arrives.
                return None
            except _TRANSIENT:
                continue
            except HttpTransportError as error:
                raise CredentialsUnavailableError(f"IMDS: {error}") from error
            if reply.status == 400:
                raise _missing("IMDS refuses a session token with status 400")
            if reply.status in (403, 404, 405):
                return None
            if reply.status == 200:
                token = reply.body.decode("ascii", "replace")
                if not token.isprintable():
                    raise CredentialsUnavailableError("IMDS: a session token that cannot be the value of a header")
                return token
        return None

    async def _get(self, path: str, token: str | None, is_good: Callable[[Reply], bool]) -> Reply:
        fields = [] if token is None else [("x-aws-ec2-metadata-token", token)]
        reason = "no attempt"
        for _ in range(self._attempts):
            try:
                reply = await fetch(self._at(path), "GET", timeout_s=self._timeout_s, fields=fields)
            except _TRANSIENT as error:
                reason = str(error)
                continue
            except HttpTransportError as error:
                raise CredentialsUnavailableError(f"IMDS: {error}") from error
            if is_good(reply):
                return reply
            reason = f"status {reply.status}" if reply.status != 200 else "a response without content"
        raise _missing(f"IMDS ({self._origin}) returned none: {reason}")

    def _at(self, path: str) -> CredentialsUrl:
        assert self._base is not None  # noqa: S101 - for the type: __init__ raises without it
        return CredentialsUrl(self._base.origin, self._base.target + path)

    @property
    def _origin(self) -> str:
        return self._at("").origin.authority

    def _extended(self, keys: Keys) -> Keys:
        """Return keys that expire soon with a later expiry; see `EXTEND_EXPIRY_S`."""
        more_s = EXTEND_EXPIRY_S + 120 + 480 * self._jitter()
        if keys.lifetime_s is None or keys.expires_at is None or keys.lifetime_s > more_s:
            return keys
        return replace(keys, expires_at=keys.expires_at - keys.lifetime_s + more_s, lifetime_s=more_s)


def _missing(reason: str) -> CredentialsMissingError:
    return CredentialsMissingError(
        f"no AWS credentials: none in the environment, and {reason}. Give the pod a role, or set AWS_ACCESS_KEY_ID"
    )


def _is_true(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").lower() == "true"


def _old_mode(environ: Mapping[str, str]) -> str:
    return "ipv6" if _is_true(environ, "AWS_IMDS_USE_IPV6") else "ipv4"


def _whole(environ: Mapping[str, str], name: str, faults: list[str]) -> int:
    text = environ.get(name) or "1"
    try:
        value = int(text)
    except ValueError:
        value = 0
    if not 1 <= value <= 60:
        faults.append(f"{name}: {clip(text)!r} is not a whole number from 1 to 60")
    return value


def _is_filled(reply: Reply) -> bool:
    return reply.status == 200 and bool(reply.body)


def _is_json(reply: Reply) -> bool:
    try:
        json.loads(reply.body)
    except ValueError:
        return False
    return _is_filled(reply)


def _code(found: Any) -> str:
    """Return the error code of IMDS in parentheses, if it is a single word; else nothing."""
    code = found.get("Code") if isinstance(found, dict) else None
    return f" ({code})" if isinstance(code, str) and code.isalnum() and len(code) <= 64 else ""
