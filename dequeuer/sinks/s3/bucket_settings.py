"""The settings of a bucket over the slim client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from dequeuer.aws.xml import Node, escape
from dequeuer.core.errors import StoreDeniedError, StoreMissingError
from dequeuer.http.pool import Reply
from dequeuer.sinks.bucket_settings import (
    FIRST_REGION,
    NO_BUCKET,
    NOT_SET,
    OWN_BUCKET,
    TAKEN,
    BucketSetting,
    Facts,
    region_of,
    taken,
)
from dequeuer.sinks.s3.bucket import XML_TYPE, Bucket, checksum
from dequeuer.sinks.s3.document import read_document
from dequeuer.sinks.s3.errors import code_in

_NAMESPACE: Final = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
_ROOTS: Final[Mapping[BucketSetting, str]] = {
    "publicAccessBlock": "PublicAccessBlockConfiguration",
    "encryption": "ServerSideEncryptionConfiguration",
    "ownershipControls": "OwnershipControls",
}
_OF_DEFAULT: Final = frozenset({"SSEAlgorithm", "KMSMasterKeyID"})
"""Elements of `ApplyServerSideEncryptionByDefault`."""
_OPEN: Final = frozenset({404, 409})


class SlimBucketSettings:
    """`BucketSettings`."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    async def find(self) -> bool | None:
        """Return whether the bucket has objects; None when it does not exist."""
        reply = await self._call("GET", "list-type=2&max-keys=1", NO_BUCKET)
        return None if reply is None else bool(read_document(reply.body).all("Contents"))

    async def create(self, region: str) -> None:
        """Create the bucket."""
        location = f"<LocationConstraint>{escape(region)}</LocationConstraint>"
        body = "" if region == FIRST_REGION else _document("CreateBucketConfiguration", location)
        await self._call("PUT", "", OWN_BUCKET, body.encode())

    async def read(self, setting: BucketSetting) -> Facts | None:
        """Return a setting; None when it was never made."""
        reply = await self._call("GET", f"{setting}=", NOT_SET.get(setting, ""))
        if reply is None:
            return None
        if setting == "policy":
            return {"Policy": reply.body.decode(errors="replace")}
        root = read_document(reply.body)
        if setting == "location":
            return {"LocationConstraint": region_of(root.text.strip())}
        return dict(_leaves(root))

    async def write(self, setting: BucketSetting, facts: Facts) -> None:
        """Replace a setting."""
        body = facts["Policy"] if setting == "policy" else _document(_ROOTS[setting], _content(setting, facts))
        await self._call("PUT", f"{setting}=", "", body.encode())

    async def _call(self, method: str, query: str, expected: str, body: bytes = b"") -> Reply | None:
        """Return the response; None when the bucket answers with the error code that is expected."""
        fields = (checksum(body), XML_TYPE) if body else ()
        try:
            reply = await self._bucket.send(self._bucket.request(None, method, query, fields, body), expected=_OPEN)
        except StoreMissingError as error:
            raise StoreDeniedError(str(error)) from error
        if reply.status not in _OPEN:
            return reply
        code = code_in(reply.body)
        if code and code == expected:
            return None
        if code == TAKEN:
            raise taken()
        refusal = self._bucket.refusal(reply)
        raise StoreDeniedError(str(refusal)) if isinstance(refusal, StoreMissingError) else refusal


def _document(root: str, content: str) -> str:
    return f"<{root} {_NAMESPACE}>{content}</{root}>"


def _content(setting: BucketSetting, facts: Facts) -> str:
    if setting == "encryption":
        default = _elements({name: value for name, value in facts.items() if name in _OF_DEFAULT})
        others = _elements({name: value for name, value in facts.items() if name not in _OF_DEFAULT})
        element = "ApplyServerSideEncryptionByDefault"
        return f"<Rule><{element}>{default}</{element}>{others}</Rule>"
    return _elements(facts) if setting == "publicAccessBlock" else f"<Rule>{_elements(facts)}</Rule>"


def _elements(facts: Facts) -> str:
    return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in facts.items())


def _leaves(node: Node) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every element without children."""
    for child in node.children:
        if child.children:
            yield from _leaves(child)
        else:
            yield child.name, child.text.strip()
