"""The stored submission: what is taken of it, and what is no submission."""

from typing import Any

import pytest

from dequeuer.enqueuer.model import EnqueueFaultError
from dequeuer.enqueuer.payload import Files, ItemArray, parse_payload
from dequeuer.jobs.file_search import FileSearch
from dequeuer.jobs.submission import FileList, ItemList, Submission, dump_payload


def test_what_a_gateway_stores_is_read() -> None:
    listed = parse_payload(dump_payload(Submission(workers=1, item_list=ItemList(items=b"[1, 2]", batch_size=3))))
    assert isinstance(listed.source, ItemArray)
    assert listed.source.text[listed.source.start :].startswith(b"[1,2]")
    assert (listed.batch_size, listed.skips_bad_items) == (3, False)
    files = FileList(s3_paths=("s3://b/x",), includes=("**",), excludes=None, batch_size=4)
    for name in ("file_path_lister", "delimited_files"):
        fields: Any = {name: files}
        payload = parse_payload(dump_payload(Submission(workers=1, on_bad_item="skip", **fields)))
        assert payload.source == Files(
            lister=name,
            search=FileSearch(s3_paths=("s3://b/x",), includes=("**",)),
        )
        assert (payload.batch_size, payload.skips_bad_items) == (4, True)


def test_what_the_operator_of_cortex_stores_is_read() -> None:
    text = b'{"workers":1,"item_list":null,"file_path_lister":null,"delimited_files":{"s3_paths":["s3://b"],"includes":null,"excludes":[],"batch_size":2}}'
    assert parse_payload(text).source == Files(lister="delimited_files", search=FileSearch(s3_paths=("s3://b",)))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b"{}",
        b'{"item_list": null}',
        b'{"item_list": 1}',
        b'{"item_list": {"batch_size": 1}}',
        b'{"item_list": {"items": {}, "batch_size": 1}}',
        b'{"item_list": {"items": [1]}}',
        b'{"item_list": {"items": [1], "batch_size": 0}}',
        b'{"item_list": {"items": [1], "batch_size": "1"}}',
        b'{"item_list": {"items": [1], "batch_size": 1.5}}',
        b'{"item_list": {"items": [1], "batch_size": 1}, "delimited_files": {}}',
        b'{"delimited_files": {"s3_paths": "s3://b", "batch_size": 1}}',
        b'{"delimited_files": {"s3_paths": [1], "batch_size": 1}}',
    ],
)
def test_what_is_no_submission_is_a_fault(text: bytes) -> None:
    with pytest.raises(EnqueueFaultError, match=r"payload\.json cannot be used"):
        parse_payload(text)
