"""Keys of an IAM role for a service account (IRSA): STS exchanges the token in a file for them.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

from dequeuer.aws.credentials.base import (
    CredentialsUrl,
    fetch_or_unavailable,
    keys_of,
    parse_url,
    read_token,
    server_time,
)
from dequeuer.aws.credentials.renewal import FrozenKeys
from dequeuer.aws.partitions import domain
from dequeuer.aws.xml import Node, XmlError, parse
from dequeuer.core import clock
from dequeuer.core.errors import ConfigurationError, CredentialsMissingError, CredentialsUnavailableError, clip
from dequeuer.http.pool import Reply

TIMEOUT_S = 10.0
_NAMES = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
_CODE = re.compile(r"[A-Za-z0-9.]{1,64}\Z")
_REFUSED = frozenset({"AccessDenied", "AccessDeniedException"})
# Regions for which `legacy` means the global endpoint: LEGACY_GLOBAL_STS_REGIONS of botocore.
_ONCE_GLOBAL = re.compile(
    r"ap-(northeast-1|south-1|southeast-[12])|ca-central-1|eu-(central-1|north-1|west-[123])|sa-east-1|us-(east|west)-[12]"
)


def sts_url(environ: Mapping[str, str], region: str) -> str:
    """Return the URL of STS, by the same rules as the SDK. Raises `ConfigurationError`."""
    if environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() != "true":
        for name in ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"):
            if url := environ.get(name):
                return url
    mode = environ.get("AWS_STS_REGIONAL_ENDPOINTS") or "regional"
    if mode not in ("regional", "legacy"):
        raise ConfigurationError([f"AWS_STS_REGIONAL_ENDPOINTS: {clip(mode)!r} is neither regional nor legacy"])
    if region == "aws-global" or (mode == "legacy" and _ONCE_GLOBAL.fullmatch(region)):
        return "https://sts.amazonaws.com"
    return f"https://sts.{region}.{domain(region)}"


class WebIdentityKeys:
    """`CredentialChain`. The token file is read each time, because the kubelet replaces the token.

    Raises:
        ConfigurationError: the variables are inconsistent or invalid.
    """

    def __init__(self, environ: Mapping[str, str], region: str, tls: ssl.SSLContext) -> None:
        faults = []
        self._file = Path(environ["AWS_WEB_IDENTITY_TOKEN_FILE"])
        self._role = environ.get("AWS_ROLE_ARN", "")
        self._session_name = environ.get("AWS_ROLE_SESSION_NAME", "")
        if not self._role:
            faults.append("AWS_ROLE_ARN: not set, while AWS_WEB_IDENTITY_TOKEN_FILE is; set both or none")
        elif len(self._role) < 20:
            faults.append(f"AWS_ROLE_ARN: {clip(self._role)!r} is not the ARN of a role")
        if len(self._session_name) == 1:
            faults.append("AWS_ROLE_SESSION_NAME: shorter than 2 characters; give a longer one, or remove it")
        self._sts: CredentialsUrl | None = None
        try:
            self._sts = parse_url(sts_url(environ, region), tls)
        except ConfigurationError as error:
            faults += error.faults
        except ValueError:
            faults.append("AWS_ENDPOINT_URL_STS (or AWS_ENDPOINT_URL): not the http:// or https:// URL of a server")
        if faults:
            raise ConfigurationError(faults)

    async def get_frozen_credentials(self) -> FrozenKeys:
        """Fetch keys from STS.

        Raises:
            CredentialsMissingError: STS denies the role.
            CredentialsUnavailableError: there is no token, or no response with keys.
        """
        token = await asyncio.to_thread(self._token)
        form = urlencode(
            {
                "Action": "AssumeRoleWithWebIdentity",
                "Version": "2011-06-15",
                "RoleArn": self._role,
                "RoleSessionName": self._session_name or f"dequeuer-{int(clock.wall())}",
                "WebIdentityToken": token,
            }
        )
        fields = (("content-type", "application/x-www-form-urlencoded; charset=utf-8"),)
        assert self._sts is not None  # noqa: S101 - for the type: __init__ raises without it
        reply = await fetch_or_unavailable(
            self._sts, "POST", "STS", timeout_s=TIMEOUT_S, fields=fields, body=form.encode()
        )
        if reply.status != 200:
            raise self._refusal(reply)
        found = {node.name: node.text for node in _find(reply, "Credentials")}
        return keys_of(found, _NAMES, server_time(reply), "STS")

    def _token(self) -> str:
        token = read_token(self._file, "AWS_WEB_IDENTITY_TOKEN_FILE")
        if len(token) < 4:
            raise CredentialsUnavailableError("AWS_WEB_IDENTITY_TOKEN_FILE contains no token")
        return token

    def _refusal(self, reply: Reply) -> CredentialsMissingError | CredentialsUnavailableError:
        """Return the error for a refusal. The message of STS is left out: it may quote the token."""
        try:
            code = next((node.text for node in _find(reply, "Error") if node.name == "Code"), "")
        except CredentialsUnavailableError:
            code = ""
        code = code if _CODE.match(code) else ""
        text = f"STS refuses AssumeRoleWithWebIdentity for {clip(self._role)}: {reply.status} {code}".rstrip()
        if code in _REFUSED:
            return CredentialsMissingError(
                f"{text}. Check the trust policy of the role (sts:AssumeRoleWithWebIdentity)"
            )
        return CredentialsUnavailableError(text)


def _find(reply: Reply, name: str) -> list[Node]:
    """Return the children of the first element with this name. Raises `CredentialsUnavailableError`."""
    try:
        rest = [parse(reply.body)]
    except XmlError:
        raise CredentialsUnavailableError("STS: a response that is not XML") from None
    while rest:
        node = rest.pop(0)
        if node.name == name:
            return node.children
        rest += node.children
    return []
