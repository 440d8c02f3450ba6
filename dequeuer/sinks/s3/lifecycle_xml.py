"""The lifecycle rule over the slim client: the rules of others are written back byte for byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from dequeuer.aws.endpoint import AwsEndpoint, Request
from dequeuer.aws.xml import Node, escape
from dequeuer.core.errors import CredentialsMissingError, CredentialsUnavailableError
from dequeuer.http.errors import HttpTransportError
from dequeuer.http.pool import Reply
from dequeuer.sinks.expiry import ABORT_AFTER_DAYS, RULE_ID, ExpiryChange, LifecycleRefusedError, has_rule, merge_rule
from dequeuer.sinks.protection import UNPROTECTED, ObjectProtection
from dequeuer.sinks.s3.bucket import XML_TYPE, Bucket, checksum
from dequeuer.sinks.s3.document import read_document
from dequeuer.sinks.s3.errors import code_in, error_without_response, refused

MAX_CONFIGURATION_BYTES = 2 * 1024 * 1024
"""1,000 rules fit, which is the limit of S3."""
_ROOT = "LifecycleConfiguration"
RuleState: TypeAlias = Literal["there", "missing", "different"]
_SIZE = "x-amz-transition-default-minimum-object-size"


async def ensure_expiry(  # noqa: PLR0913 - one parameter a fact of the bucket
    endpoint: AwsEndpoint,
    *,
    bucket: str,
    path_style: bool,
    prefix: str,
    days: int,
    protection: ObjectProtection = UNPROTECTED,
) -> ExpiryChange:
    """Write the rule by which objects below `prefix` expire after `days`; return what was done.

    Args:
        endpoint: of the bucket; it is not closed here.
        bucket: its name.
        path_style: the bucket name is part of the path; otherwise of the host name of the endpoint.
        prefix: of keys.
        days: whole days.
        protection: the account that owns the bucket.

    Raises:
        StoreDeniedError: the bucket does not exist, or there are no credentials.
        StoreUnavailableError: a later attempt may succeed.
    """
    api = _Lifecycle(endpoint, Bucket(endpoint, bucket, path_style=path_style, protection=protection), prefix, days)
    return await merge_rule(api, bucket)


def rule_state(document: bytes | None, prefix: str, days: int) -> RuleState:
    """Return whether a lifecycle configuration has our rule. `document`: of S3; None: the bucket has none.

    Raises:
        StoreUnavailableError: the document cannot be read.
    """
    rules = [] if document is None else _our_rules(read_document(document, _ROOT))
    if not rules:
        return "missing"
    return "there" if _is_right(rules, prefix, days) else "different"


def _our_rules(root: Node) -> list[Node]:
    return [rule for rule in root.all("Rule") if (rule.first("ID") or "").strip() == RULE_ID]


def _is_right(rules: Sequence[Node], prefix: str, days: int) -> bool:
    """Return whether there is one rule, and it says what ours does."""
    facts = [
        ("/ID", RULE_ID),
        ("/Status", "Enabled"),
        ("/Filter/Prefix", prefix),
        ("/Expiration/Days", str(days)),
        ("/NoncurrentVersionExpiration/NoncurrentDays", str(days)),
        ("/AbortIncompleteMultipartUpload/DaysAfterInitiation", str(ABORT_AFTER_DAYS)),
    ]
    return len(rules) == 1 and sorted(_leaves(rules[0])) == sorted(facts)


async def has_expiry(endpoint: AwsEndpoint, bucket: Bucket, name: str, *, prefix: str, days: int) -> bool:
    """Return whether the bucket has the rule as `ensure_expiry` writes it. Raises like `has_rule`."""
    return await has_rule(_Lifecycle(endpoint, bucket, prefix, days), name)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Configuration:
    """A lifecycle configuration. `size`: a header field that belongs to it."""

    document: bytes
    size: str | None


class _Lifecycle:
    """`LifecycleApi`."""

    def __init__(self, endpoint: AwsEndpoint, bucket: Bucket, prefix: str, days: int) -> None:
        self._endpoint = endpoint
        self._bucket = bucket
        self._prefix = prefix
        self._days = days

    async def read(self) -> _Configuration:
        """Return the configuration."""
        reply = await self._call(self._bucket.request(None, "GET", "lifecycle="))
        return _Configuration(document=reply.body, size=reply.field(_SIZE))

    def merged(self, found: _Configuration | None) -> _Configuration | None:
        """Return the configuration with our rule; None when it has the rule already."""
        if found is None:
            return _Configuration(document=_new(self._ours("")), size=None)
        document = found.document
        root = read_document(document, _ROOT)
        rules = _our_rules(root)
        if _is_right(rules, self._prefix, self._days):
            return None
        if not document.startswith(b"</", root.end):
            # The root has no end tag (`<a/>`), so there are no rules of others.
            return _Configuration(document=_new(self._ours("")), size=found.size)
        pieces, at = [], 0
        for rule in rules:
            pieces.append(document[at : rule.start])
            at = document.index(b">", rule.end) + 1
        pieces += [document[at : root.end], self._ours(root.prefix), document[root.end :]]
        return _Configuration(document=b"".join(pieces), size=found.size)

    async def write(self, configuration: _Configuration) -> None:
        """Replace the configuration."""
        document, size = configuration.document, configuration.size
        # Without it, a PUT would set the size to the default of S3, and rules of others would move small objects.
        fields = (checksum(document), XML_TYPE, *([(_SIZE, size)] if size else []))
        await self._call(self._bucket.request(None, "PUT", "lifecycle=", fields, document))

    async def _call(self, request: Request) -> Reply:
        try:
            reply = await self._endpoint.send(request, limit=MAX_CONFIGURATION_BYTES)
        except (HttpTransportError, CredentialsMissingError, CredentialsUnavailableError) as error:
            raise error_without_response(error) from error
        if reply.status >= 300:
            code = code_in(reply.body) or str(reply.status)
            raise LifecycleRefusedError(str(refused(reply.status, code)), code=code, status=reply.status)
        return reply

    def _ours(self, prefix: str) -> bytes:
        """Return our rule as XML. `prefix`: namespace prefix of its elements, with the colon."""
        p = prefix
        return (
            f"<{p}Rule><{p}ID>{RULE_ID}</{p}ID><{p}Status>Enabled</{p}Status>"
            f"<{p}Filter><{p}Prefix>{escape(self._prefix)}</{p}Prefix></{p}Filter>"
            f"<{p}Expiration><{p}Days>{self._days}</{p}Days></{p}Expiration>"
            f"<{p}NoncurrentVersionExpiration><{p}NoncurrentDays>{self._days}</{p}NoncurrentDays>"
            f"</{p}NoncurrentVersionExpiration>"
            f"<{p}AbortIncompleteMultipartUpload><{p}DaysAfterInitiation>{ABORT_AFTER_DAYS}</{p}DaysAfterInitiation>"
            f"</{p}AbortIncompleteMultipartUpload></{p}Rule>"
        ).encode()


def _new(rule: bytes) -> bytes:
    return b'<%b xmlns="http://s3.amazonaws.com/doc/2006-03-01/">%b</%b>' % (_ROOT.encode(), rule, _ROOT.encode())


def _leaves(node: Node, path: str = "") -> list[tuple[str, str]]:
    """Return the path and the text of every element without children."""
    found: list[tuple[str, str]] = []
    for child in node.children:
        name = f"{path}/{child.name}"
        found += _leaves(child, name) if child.children else [(name, child.text.strip())]
    return found
