"""Permissions that no call without effect shows, as IAM simulates them from the policies of the caller's role.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, cast, get_args
from urllib.parse import urlencode

from dequeuer.aws.endpoint import Request
from dequeuer.aws.xml import XmlError, parse
from dequeuer.check.aws_access import AwsAccess, in_time
from dequeuer.core.errors import ConfigurationError, CredentialsMissingError, CredentialsUnavailableError
from dequeuer.http.errors import HttpTransportError

Decision: TypeAlias = Literal["allowed", "explicitDeny", "implicitDeny"]
"""implicitDeny: no policy of the role allows it; one of the resource still can."""
MAX_QUESTIONS: Final = 40
"""A gateway can have hundreds of queues, and IAM takes few requests a second."""
QUESTIONS_TIMEOUT_S: Final = 10.0
"""After it no more questions are asked: each waits for the one before."""
_LIMIT_BYTES: Final = 256 * 1024
_FORM: Final = (("content-type", "application/x-www-form-urlencoded; charset=utf-8"),)
_ASSUMED_ROLE: Final = re.compile(r"arn:(aws[a-z-]*):sts::([0-9]{12}):assumed-role/([A-Za-z0-9+=,.@_-]{1,64})/.*")
_USER: Final = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:user/.{1,600}")
_FAILED: Final = (
    HttpTransportError,
    ConfigurationError,
    CredentialsMissingError,
    CredentialsUnavailableError,
    TimeoutError,
)


def principal_of(caller_arn: str) -> str | None:
    """Return the ARN of the user or the role whose policies hold for a caller; None: there is none.

    A role with a path has another ARN than this: IAM does not find it then.
    """
    if role := _ASSUMED_ROLE.fullmatch(caller_arn):
        return f"arn:{role[1]}:iam::{role[2]}:role/{role[3]}"
    return caller_arn if _USER.fullmatch(caller_arn) else None


class Simulation:
    """Asks IAM. After the first question that is refused or not answered it asks no more.

    Args:
        access: to AWS.
        caller_arn: as STS says; "": it is not known.
        environ: of the process, for the endpoint.
    """

    def __init__(self, access: AwsAccess, caller_arn: str, environ: Mapping[str, str]) -> None:
        self._access = access
        self._principal = principal_of(caller_arn)
        self._url = (
            environ.get("AWS_ENDPOINT_URL_IAM") or environ.get("AWS_ENDPOINT_URL") or "https://iam.amazonaws.com"
        )
        self._left = MAX_QUESTIONS
        self._ends_at: float | None = None
        self._turn = asyncio.Lock()

    async def decision(self, action: str, resource: str) -> Decision | None:
        """Return whether the role's policies allow an action; None: it is not known. `resource`: an ARN."""
        async with self._turn:
            now = asyncio.get_running_loop().time()
            if self._ends_at is None:
                self._ends_at = now + QUESTIONS_TIMEOUT_S
            if now >= self._ends_at:
                return None
            is_possible = self._principal is not None and self._access.slim is not None and self._left > 0
            if not is_possible or not resource.startswith("arn:aws:") or ":*:" in resource:
                return None
            self._left -= 1
            found = await self._ask(action, resource)
            if found is None:
                self._left = 0
            return found

    async def _ask(self, action: str, resource: str) -> Decision | None:
        fields = {
            "Action": "SimulatePrincipalPolicy",
            "Version": "2010-05-08",
            "PolicySourceArn": self._principal or "",
            "ActionNames.member.1": action,
            "ResourceArns.member.1": resource,
        }
        assert self._access.slim is not None  # noqa: S101 - for the type: `decision` has looked
        request = Request(method="POST", path="/", timeout_s=5.0, fields=_FORM, body=urlencode(fields).encode())
        try:
            endpoint = self._access.slim.iam(self._url)
            try:
                reply = await in_time(endpoint.send(request, limit=_LIMIT_BYTES))
            finally:
                await endpoint.close()
        except _FAILED:
            return None
        return read_decision(reply.body) if reply.status == 200 else None


def read_decision(body: bytes) -> Decision | None:
    """Return the decision in a response about one action on one resource."""
    try:
        root = parse(body, "SimulatePrincipalPolicyResponse")
    except XmlError:
        return None
    results = [
        member.first("EvalDecision") or ""
        for result in root.all("SimulatePrincipalPolicyResult")
        for list_of_results in result.all("EvaluationResults")
        for member in list_of_results.all("member")
    ]
    return cast("Decision", results[0]) if len(results) == 1 and results[0] in get_args(Decision) else None
