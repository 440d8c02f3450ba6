"""Credentials: whether there are any, whose they are, and whether they belong to the account of the queues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from dequeuer.aws.credentials import chain
from dequeuer.aws.credentials.web_identity import sts_url
from dequeuer.aws.endpoint import Request
from dequeuer.aws.xml import Node, XmlError, parse
from dequeuer.check.aws_access import AwsAccess, in_time
from dequeuer.check.finding import CheckId, Finding, Verdict, all_unknown, fault, not_known, ok, warning
from dequeuer.check.plan import QueueNeed
from dequeuer.core import clock
from dequeuer.core.errors import (
    ConfigurationError,
    CredentialsMissingError,
    CredentialsUnavailableError,
    clip,
)
from dequeuer.http.errors import HttpTransportError
from dequeuer.policies.arns import account_of_queue
from dequeuer.sinks.s3.errors import code_in

SOON_S: Final = 900.0
"""Keys that cannot be renewed and end sooner are a warning."""
_LIMIT_BYTES: Final = 64 * 1024
_FORM: Final = (("content-type", "application/x-www-form-urlencoded; charset=utf-8"),)
NO_CREDENTIALS: Final = "there are no credentials"
_IDS: Final[Sequence[CheckId]] = ("identity.caller", "identity.account")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who the credentials belong to, as STS says."""

    arn: str
    account: str


async def check_keys(access: AwsAccess, environ: Mapping[str, str]) -> tuple[list[Finding], bool]:
    """Return the findings about the keys, and whether there are any: without them nothing else can be asked."""
    provider = chain.choose(environ).provider if access.slim is not None else "sdk"
    try:
        keys = await in_time(access.keys())
    except (CredentialsMissingError, CredentialsUnavailableError, TimeoutError) as error:
        text = clip(str(error)) or "the provider of credentials does not respond"
        action = "give the pod a role (IRSA or pod identity), or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        missing = Finding(id="identity.credentials", subject="", verdict=fault(f"{provider}: {text}", action))
        return [missing, *all_unknown(_IDS, "", NO_CREDENTIALS)], False
    verdict = judge_keys(provider, keys.access_key, getattr(keys, "expires_at", None), clock.wall())
    return [Finding(id="identity.credentials", subject="", verdict=verdict)], True


async def check_caller(
    access: AwsAccess, queues: Sequence[QueueNeed], environ: Mapping[str, str]
) -> tuple[list[Finding], str]:
    """Return the findings about whose the keys are, and the ARN of the caller; "" when it is not known."""
    who = await _who(access, environ)
    if isinstance(who, Verdict):
        unknown = not_known("STS did not say who the caller is")
        accounts = [Finding(id="identity.account", subject=queue.name, verdict=unknown) for queue in queues]
        return [Finding(id="identity.caller", subject="", verdict=who), *accounts], ""
    accounts = [
        Finding(id="identity.account", subject=queue.name, verdict=judge_account(who, queue)) for queue in queues
    ]
    return [Finding(id="identity.caller", subject="", verdict=ok(clip(who.arn))), *accounts], who.arn


def judge_keys(provider: str, access_key: str, expires_at: float | None, now_s: float) -> Verdict:
    """Return whether keys last. `expires_at`, `now_s`: seconds since the epoch."""
    whose = f"{provider}, key {clip(access_key[:4])}..."
    if expires_at is None:
        return ok(f"{whose}, without a known end")
    left_s = expires_at - now_s
    if provider == "environment" and left_s < SOON_S:
        return warning(
            f"{whose} ends in {max(0, left_s) / 60:.0f} min and cannot be renewed",
            "give the pod a role, whose keys are renewed, or start with newer keys",
        )
    return ok(f"{whose}, ends in {left_s / 60:.0f} min" + ("" if provider == "environment" else ", renewed before"))


def judge_account(who: Caller, queue: QueueNeed) -> Verdict:
    """Return whether a queue belongs to the account of the caller."""
    account = account_of_queue(queue.url)
    if account == "*":
        return not_known(f"the URL in {queue.option} names no account")
    if account == who.account:
        return ok(f"{account}, as the caller")
    return warning(
        f"the queue is in account {account}, the caller in {clip(who.account)}",
        f"if that is meant, the queue's own policy must allow the caller; else correct {queue.option}",
    )


async def _who(access: AwsAccess, environ: Mapping[str, str]) -> Caller | Verdict:
    """Ask STS who the caller is. Every identity may; only STS itself may be out of reach."""
    if access.slim is None:
        return not_known(f"the SDK's clients are used: {clip(access.sdk_because)}")
    try:
        endpoint = access.slim.sts(sts_url(environ, access.region))
    except ConfigurationError as error:
        return not_known(clip(str(error)))
    form = urlencode({"Action": "GetCallerIdentity", "Version": "2011-06-15"}).encode()
    request = Request(method="POST", path="/", timeout_s=5.0, fields=_FORM, body=form)
    try:
        reply = await in_time(endpoint.send(request, limit=_LIMIT_BYTES))
    except (HttpTransportError, CredentialsMissingError, CredentialsUnavailableError, TimeoutError) as error:
        return not_known(f"STS: {clip(str(error)) or 'no response in time'}")
    finally:
        await endpoint.close()
    if reply.status != 200:
        return not_known(f"STS answered {reply.status} {code_in(reply.body)}".rstrip())
    return read_caller(reply.body)


def read_caller(body: bytes) -> Caller | Verdict:
    """Return the caller in a response of GetCallerIdentity."""
    try:
        result = next(iter(parse(body, "GetCallerIdentityResponse").all("GetCallerIdentityResult")), None)
    except XmlError:
        result = None
    arn, account = _field(result, "Arn"), _field(result, "Account")
    if not arn or not account:
        return not_known("the response of STS has no caller")
    return Caller(arn=arn, account=account)


def _field(node: Node | None, name: str) -> str:
    return "" if node is None else (node.first(name) or "").strip()
