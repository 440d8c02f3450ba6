from __future__ import annotations

import asyncio
from hashlib import md5

import pytest

from dequeuer.core.errors import StoreDeniedError, StoreMissingError, StoreUnavailableError
from dequeuer.sinks.s3.parts import ABORTS_CLOSE_TIMEOUT_S, Aborts, Part, check_uploads, is_made_of, within_upload

HASHES = [md5(body, usedforsecurity=False) for body in (b"one", b"three")]
PARTS = [Part(f'"{HASHES[0].hexdigest()}"', 3, ""), Part(f'"{HASHES[1].hexdigest()}"', 5, "")]
E_TAG = f'"{md5(b"".join(part.digest() for part in HASHES), usedforsecurity=False).hexdigest()}-2"'
RANGE = "bytes 0-0/8"


@pytest.mark.parametrize(
    ("content_range", "e_tag", "encryption", "is_it"),
    [
        (RANGE, E_TAG, "", True),
        (RANGE, E_TAG, "AES256", True),
        ("bytes 0-0/9", E_TAG, "", False),
        (None, E_TAG, "", False),
        (RANGE, '"0123-2"', "", False),
        (RANGE, '"0123-2"', "aws:kms", True),
        (RANGE, '"0123-3"', "aws:kms:dsse", False),
    ],
)
def test_an_object_is_known_by_size_and_etag(
    content_range: str | None, e_tag: str, encryption: str, *, is_it: bool
) -> None:
    assert is_made_of(PARTS, content_range=content_range, e_tag=e_tag, encryption=encryption) is is_it


def test_etags_that_are_no_checksums_prove_nothing() -> None:
    assert not is_made_of([Part("opaque", 8, "")], content_range=RANGE, e_tag="opaque-1", encryption="")


async def test_an_upload_that_is_gone_is_a_failure_that_may_pass() -> None:
    async def gone() -> None:
        raise StoreMissingError("S3 answered 404 NoSuchUpload")

    with pytest.raises(StoreUnavailableError, match="gone"):
        await within_upload(gone)


class FakeUpload:
    def __init__(self, error: Exception | None) -> None:
        self.error = error
        self.aborted = False

    async def create(self) -> None:
        if self.error is not None:
            raise self.error

    async def abort(self) -> None:
        self.aborted = True


class HangingUpload(FakeUpload):
    async def abort(self) -> None:
        await asyncio.Event().wait()


@pytest.mark.looptime
async def test_an_abort_that_hangs_does_not_hold_the_end_of_the_process() -> None:
    aborts, loop = Aborts(), asyncio.get_running_loop()
    done = FakeUpload(None)
    aborts.start(HangingUpload(None))
    aborts.start(done)
    began_at = loop.time()
    await aborts.close()
    assert loop.time() - began_at == pytest.approx(ABORTS_CLOSE_TIMEOUT_S)
    assert done.aborted
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_check_aborts_what_it_has_begun() -> None:
    upload = FakeUpload(None)
    await check_uploads(upload)
    assert upload.aborted


@pytest.mark.parametrize(
    "error",
    [
        StoreMissingError("S3 answered 404"),
        StoreDeniedError("S3 answered 405 MethodNotAllowed"),
        StoreUnavailableError("S3 answered 501 NotImplemented"),
    ],
)
async def test_a_store_without_multipart_uploads_proves_nothing_about_permissions(error: Exception) -> None:
    await check_uploads(FakeUpload(error))


@pytest.mark.parametrize("error", [StoreDeniedError("S3 answered 403"), StoreUnavailableError("S3 answered 503")])
async def test_other_refusals_are_the_answer(error: Exception) -> None:
    with pytest.raises(type(error)):
        await check_uploads(FakeUpload(error))
