"""The lifecycle rule with the slim client, against a server that stores a document like S3."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import md5

import pytest

from dequeuer.core.errors import StoreDeniedError, StoreUnavailableError
from dequeuer.sinks.expiry import RULE_ID
from dequeuer.sinks.s3.lifecycle_xml import ensure_expiry
from tests.hostile.server import read_request, serving
from tests.sinks.fake_s3 import answer, fields_of, refusal
from tests.sinks.stores import Chain, slim_endpoint

SIZE = "x-amz-transition-default-minimum-object-size"
HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
)
TAIL = "</LifecycleConfiguration>"
OURS = (
    f"<Rule><ID>{RULE_ID}</ID><Status>Enabled</Status><Filter><Prefix>uid/workloads/</Prefix></Filter>"
    "<Expiration><Days>7</Days></Expiration>"
    "<NoncurrentVersionExpiration><NoncurrentDays>7</NoncurrentDays></NoncurrentVersionExpiration>"
    "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>"
)
CORTEX = (
    f"<Rule><ID>{RULE_ID}</ID><Status>Enabled</Status><Filter><Prefix>uid/workloads/</Prefix></Filter>"
    "<Expiration><Days>7</Days></Expiration></Rule>"
)
SPACED = (
    f"<Rule>\n <Expiration> <Days>7</Days> </Expiration>\n <ID>{RULE_ID}</ID>\n"
    "<AbortIncompleteMultipartUpload>\n<DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
    " <NoncurrentVersionExpiration><NoncurrentDays> 7 </NoncurrentDays></NoncurrentVersionExpiration>"
    " <Filter><Prefix>uid/workloads/</Prefix></Filter>\n<Status>Enabled</Status></Rule>"
)
THEIRS = """
  <Rule><ID>archive &amp; &#228; ä</ID><Filter><And><Prefix>logs/</Prefix><Tag><Key>k</Key><Value> v </Value></Tag>
    <ObjectSizeGreaterThan>5000</ObjectSizeGreaterThan></And></Filter><Status>Enabled</Status>
    <x:Unknown xmlns:x="urn:x" x:a="1 > 0"/><Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition>
    <!-- kept --><NoncurrentVersionExpiration><NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration>
  </Rule>
"""
LEGACY = (
    "<Rule><ID>legacy</ID><Prefix>old/</Prefix><Status>Disabled</Status><Expiration><Days>1</Days></Expiration></Rule>"
)


@dataclass
class FakeS3:
    """Replaces the whole document with each PUT, as S3 does."""

    document: str | None = None
    size: str | None = None
    get: bytes | None = None
    put: bytes | None = None
    requests: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            raw = await read_request(reader)
            self.requests.append(raw)
            writer.write(self._said(raw))
            await writer.drain()

    def _said(self, raw: bytes) -> bytes:
        if raw.startswith(b"GET /b?lifecycle= "):
            if self.get is not None:
                return self.get
            if self.document is None:
                return refusal(404, "NoSuchLifecycleConfiguration")
            return answer(200, self.document.encode(), **({SIZE: self.size} if self.size else {}))
        assert raw.startswith(b"PUT /b?lifecycle= ")
        if self.put is not None:
            return self.put
        body, fields = raw.partition(b"\r\n\r\n")[2], fields_of(raw)
        assert fields["content-md5"] == b64encode(md5(body).digest()).decode()  # noqa: S324 - as S3 wants it
        self.document, self.size = body.decode(), fields.get(SIZE)
        return answer(200)

    @property
    def puts(self) -> int:
        return sum(raw.startswith(b"PUT") for raw in self.requests)


@asynccontextmanager
async def running(fake: FakeS3) -> AsyncIterator[str]:
    async with serving(fake.serve) as port:
        yield f"http://127.0.0.1:{port}"


async def ensure(fake: FakeS3, days: int = 7, chain: Chain | None = None, prefix: str = "uid/workloads/") -> str:
    async with running(fake) as url:
        endpoint = slim_endpoint(url, chain)
        try:
            return await ensure_expiry(endpoint, bucket="b", path_style=True, prefix=prefix, days=days)
        finally:
            await endpoint.close()


async def test_made_where_there_is_none() -> None:
    fake = FakeS3()
    assert await ensure(fake) == "written"
    assert fake.document == HEAD.partition("\n")[2] + OURS + TAIL
    assert await ensure(fake) == "unchanged"


async def test_a_document_without_rules() -> None:
    fake = FakeS3('<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>', "varies")
    assert await ensure(fake) == "written"
    assert fake.document == HEAD.partition("\n")[2] + OURS + TAIL
    assert fake.size == "varies"


@pytest.mark.parametrize("size", [None, "varies_by_storage_class"])
async def test_rules_of_others_are_kept_byte_for_byte(size: str | None) -> None:
    fake = FakeS3(HEAD + THEIRS + LEGACY + TAIL, size)
    assert await ensure(fake) == "written"
    assert fake.document == HEAD + THEIRS + LEGACY + OURS + TAIL
    assert fake.size == size


@pytest.mark.parametrize("ours", [OURS, SPACED])
async def test_nothing_is_written_when_it_is_there(ours: str) -> None:
    fake = FakeS3(HEAD + ours + THEIRS + TAIL)
    assert await ensure(fake) == "unchanged"
    assert fake.puts == 0


@pytest.mark.parametrize(
    "stale",
    [
        CORTEX,
        OURS.replace("<NoncurrentDays>7<", "<NoncurrentDays>30<"),
        OURS.replace("<DaysAfterInitiation>1<", "<DaysAfterInitiation>7<"),
        OURS.replace("<Days>7<", "<Days>3<"),
        OURS.replace("Enabled", "Disabled"),
        OURS.replace("uid/", "elsewhere/"),
        OURS.replace("<Filter><Prefix>uid/workloads/</Prefix></Filter>", "<Prefix>uid/workloads/</Prefix>"),
        OURS.replace("</Rule>", "<Transition><Days>1</Days></Transition></Rule>"),
        OURS.replace("</Filter>", "<Tag/></Filter>"),
        OURS + OURS,
    ],
)
async def test_a_stale_one_of_ours_is_corrected(stale: str) -> None:
    fake = FakeS3(HEAD + THEIRS + stale.replace("</Rule>", "</Rule >") + LEGACY + TAIL)
    assert await ensure(fake) == "written"
    assert fake.document == HEAD + THEIRS + LEGACY + OURS + TAIL


async def test_names_that_are_spelled_with_their_namespace() -> None:
    spelled = OURS.replace("</", "</s3:").replace("<", "<s3:").replace("<s3:/s3:", "</s3:")
    head, tail = '<s3:LifecycleConfiguration xmlns:s3="urn:s3">', "</s3:LifecycleConfiguration>"
    fake = FakeS3(head + tail)
    assert await ensure(fake) == "written"
    assert fake.document == head + spelled + tail
    assert await ensure(fake) == "unchanged"


async def test_a_prefix_is_escaped() -> None:
    fake = FakeS3()
    for change in ("written", "unchanged"):
        assert await ensure(fake, prefix="<&>/") == change
    assert "<Prefix>&lt;&amp;&gt;/</Prefix>" in (fake.document or "")


async def test_missing_permissions_are_named() -> None:
    assert await ensure(FakeS3(get=refusal(403, "AccessDenied"))) == "may_not_read"
    assert await ensure(FakeS3(get=answer(403))) == "may_not_read"
    assert await ensure(FakeS3(HEAD + THEIRS + TAIL, put=refusal(403, "AccessDenied"))) == "may_not_write"


@pytest.mark.parametrize("response", [refusal(501, "NotImplemented"), refusal(400, "MalformedXML"), answer(405)])
async def test_an_error_that_a_retry_does_not_change_is_reported_as_not_supported(response: bytes) -> None:
    assert await ensure(FakeS3(get=response)) == "not_supported"
    assert await ensure(FakeS3(HEAD + THEIRS + TAIL, put=response)) == "not_supported"


@pytest.mark.parametrize("response", [refusal(404, "NoSuchBucket"), answer(404)])
async def test_a_bucket_that_is_not_there(response: bytes) -> None:
    with pytest.raises(StoreDeniedError, match="DEQUEUER_BUCKET"):
        await ensure(FakeS3(get=response))


@pytest.mark.parametrize("response", [refusal(503, "SlowDown"), refusal(400, "ExpiredToken"), b"garbage\r\n\r\n"])
async def test_a_temporary_error_is_raised_and_the_caller_retries(response: bytes) -> None:
    with pytest.raises(StoreUnavailableError):
        await ensure(FakeS3(get=response))
    with pytest.raises(StoreUnavailableError):
        await ensure(FakeS3(HEAD + THEIRS + TAIL, put=response))


@pytest.mark.parametrize(
    "document",
    ["", "<html/>", HEAD, HEAD + THEIRS, "<!DOCTYPE x>" + HEAD.partition("\n")[2] + TAIL, HEAD + "&x;" + TAIL],
)
async def test_rules_that_cannot_be_read_are_not_replaced(document: str) -> None:
    fake = FakeS3(get=answer(200, document.encode()))
    with pytest.raises(StoreUnavailableError):
        await ensure(fake)
    assert fake.puts == 0


async def test_without_credentials_nothing_is_sent() -> None:
    fake = FakeS3()
    with pytest.raises(StoreDeniedError, match="no AWS credentials"):
        await ensure(fake, chain=Chain(None))
    assert fake.requests == []
