import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.core.errors import clip
from dequeuer.formats.go_json import Number
from dequeuer.formats.json_spans import elements
from dequeuer.jobs.file_search import FileSearch
from dequeuer.jobs.spec import DeadLetterQueue
from dequeuer.jobs.submission import MAX_ITEM_BYTES, FileList, ItemList, Submission, dump_payload
from dequeuer.jobs.submission_parsing import Parsed, parse_batch_submission, parse_task_submission

HINT = "\n\njob submission schema can be found at https://docs.cortexlabs.com/v/0.42/"
GOOD: dict[str, Any] = {"workers": 1, "item_list": {"items": [1], "batch_size": 1}}
FILES: dict[str, Any] = {"s3_paths": ["s3://bucket/a"], "batch_size": 1}
LEAST = "must be greater than or equal to 1 (got"


def parse(body: Any) -> Parsed:
    return parse_batch_submission(body if isinstance(body, bytes) else json.dumps(body).encode(), "0.42.1")


def faults(body: Any) -> list[tuple[str, str]]:
    found = parse(body)
    assert (found.submission is None) == bool(found.faults)
    return [(fault.kind, fault.message) for fault in found.faults]


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


MORE = "configreader.must_be_greater_than_or_equal_to"


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b"", "error", f"unexpected end of JSON input{HINT}"),
        (b"{]", "error", f"invalid character ']' looking for beginning of object key string{HINT}"),
        (b"[]", "error", f"json: cannot unmarshal array into Go value of type schema.BatchJobSubmission{HINT}"),
        (GOOD | {"workers": "2"}, "error", f"json: cannot unmarshal string into Go struct field BatchJobSubmission.workers of type int{HINT}"),
        ({"workers": 1}, "job.specify_exactly_one_key", f"specify exactly one of the following keys: item_list, file_path_lister, or delimited_files{HINT}"),
        (GOOD | {"delimited_files": FILES}, "job.conflicting_fields", f"please specify either the item_list or delimited_files field (but not more than one at the same time){HINT}"),
        (GOOD | {"delimited_files": FILES, "file_path_lister": FILES}, "job.conflicting_fields", f"please specify either the item_list, file_path_lister, or delimited_files field (but not more than one at the same time){HINT}"),
        (GOOD | {"item_list": {"items": [], "batch_size": 1}}, "configreader.too_few_elements", f"items: must contain at least 1 elements{HINT}"),
        (GOOD | {"item_list": {"batch_size": 1}}, "configreader.too_few_elements", f"items: must contain at least 1 elements{HINT}"),
        (GOOD | {"item_list": {"items": [1], "batch_size": 0}}, MORE, f"item_list: batch_size: {LEAST} 0){HINT}"),
        (GOOD | {"item_list": {"items": [1]}}, MORE, f"item_list: batch_size: {LEAST} 0){HINT}"),
        (GOOD | {"workers": -3}, MORE, f"workers: {LEAST} -3){HINT}"),
        (GOOD | {"workers": 10001}, "configreader.must_be_less_than_or_equal_to", f"workers: must be less than or equal to 10000 (got 10001){HINT}"),
        (without("workers"), MORE, f"workers: {LEAST} 0){HINT}"),
        (GOOD | {"timeout": 0}, MORE, f"timeout: {LEAST} 0){HINT}"),
        (GOOD | {"sqs_dead_letter_queue": {"arn": "", "max_receive_count": 1}}, "configreader.cannot_be_empty", f"sqs_dead_letter_queue: arn: cannot be empty{HINT}"),
        (GOOD | {"sqs_dead_letter_queue": {"arn": "a", "max_receive_count": 0}}, MORE, f"sqs_dead_letter_queue: max_receive_count: {LEAST} 0){HINT}"),
        ({"workers": 1, "file_path_lister": {"s3_paths": [], "batch_size": 1}}, "configreader.too_few_elements", "file_path_lister: s3_paths: must contain at least 1 elements"),
        ({"workers": 1, "delimited_files": {"batch_size": 1}}, "configreader.too_few_elements", "delimited_files: s3_paths: must contain at least 1 elements"),
        ({"workers": 1, "file_path_lister": FILES | {"s3_paths": ["x"]}}, "aws.invalid_s3_path", 'file_path_lister: "x" is not a valid s3 path (e.g. s3://cortex-examples/pytorch/iris-classifier/weights.pth is a valid s3 path)'),
        ({"workers": 1, "delimited_files": FILES | {"s3_paths": ["s3:///a"]}}, "aws.invalid_s3_path", 'delimited_files: "s3:///a" is not a valid s3 path (e.g. s3://cortex-examples/pytorch/iris-classifier/weights.pth is a valid s3 path)'),
        (GOOD | {"output": {"s3_path": "b/p"}}, "aws.invalid_s3_path", 'output: s3_path: "b/p" is not a valid s3 path (e.g. s3://cortex-examples/pytorch/iris-classifier/weights.pth is a valid s3 path)'),
        (GOOD | {"output": {}}, "aws.invalid_s3_path", 'output: s3_path: "" is not a valid s3 path (e.g. s3://cortex-examples/pytorch/iris-classifier/weights.pth is a valid s3 path)'),
        (GOOD | {"output": {"s3_path": "s3://b/caf\u00e9"}}, "aws.invalid_s3_path", 'output: s3_path: must be up to 905 printable ASCII characters (got "s3://b/caf\u00e9")'),
        (GOOD | {"output": {"s3_path": "s3://b/a\nb"}}, "aws.invalid_s3_path", 'output: s3_path: must be up to 905 printable ASCII characters (got "s3://b/a\ufffdb")'),
        (GOOD | {"output": {"s3_path": "s3://" + "b/" * 451}}, "aws.invalid_s3_path", f'output: s3_path: must be up to 905 printable ASCII characters (got "{clip("s3://" + "b/" * 451)}")'),
        (GOOD | {"on_bad_item": "ignore"}, "configreader.invalid_str", 'on_bad_item: invalid value (got "ignore", must be "fail" or "skip")'),
        (GOOD | {"priority": -1}, MORE, "priority: must be greater than or equal to 0 (got -1)"),
        (GOOD | {"priority": 101}, "configreader.must_be_less_than_or_equal_to", "priority: must be less than or equal to 100 (got 101)"),
        (GOOD | {"config": {"a": "x" * (1 << 20)}}, "job.config_size_exceeds_limit", "config has size 1048585 bytes which exceeds the limit (1048576 bytes)"),
        (b'{"workers":1,"item_list":{"items":[1],"batch_size":1},"config":{"a":' + b"[" * 300 + b"]" * 300 + b"}}", "error", "config: nested deeper than 200 levels"),
        (b'{"workers":1,"item_list":{"items":["\xff"],"batch_size":1}}', "error", f"the body is not UTF-8{HINT}"),
    ],
)  # fmt: skip
def test_a_fault_has_the_kind_and_the_text_of_cortex(body: Any, kind: str, message: str) -> None:
    assert faults(body) == [(kind, message)]


@pytest.mark.parametrize("name", ["includes", "excludes"])
@pytest.mark.parametrize("source", ["file_path_lister", "delimited_files"])
def test_a_bad_glob_is_named(source: str, name: str) -> None:
    found = faults({"workers": 1, source: FILES | {name: ["ok", "[z-a]"]}})
    assert [kind for kind, _ in found] == ["error"]
    assert found[0][1].startswith(f"{source}: {name}: [z-a]: ")


def test_too_many_globs_are_one_fault() -> None:
    found = faults({"workers": 1, "delimited_files": FILES | {"includes": ["["] * 1001}})
    assert found == [
        ("configreader.too_many_elements", "delimited_files: includes: must contain at most 1000 elements")
    ]


def test_globs_that_are_too_long_together_are_one_fault() -> None:
    found = faults({"workers": 1, "delimited_files": FILES | {"excludes": ["x" * 4096] * 17}})
    message = "delimited_files: excludes: 69632 characters in all exceed the limit (65536 characters)"
    assert found == [("error", message)]


def test_too_many_paths_are_one_fault() -> None:
    found = faults({"workers": 1, "delimited_files": FILES | {"s3_paths": ["x"] * 100_001}})
    assert found == [
        ("configreader.too_many_elements", "delimited_files: s3_paths: must contain at most 100000 elements")
    ]


def test_the_first_of_many_faults_in_a_list_are_reported() -> None:
    assert len(faults({"workers": 1, "delimited_files": FILES | {"s3_paths": ["x"] * 10_000}})) == 20


def test_the_size_of_an_item_is_that_of_its_text() -> None:
    def item_list(*sizes: int) -> dict[str, Any]:
        return GOOD | {"item_list": {"items": ["x" * (size - 2) for size in sizes], "batch_size": 1}}

    assert faults(item_list(MAX_ITEM_BYTES, MAX_ITEM_BYTES)) == []
    assert faults(item_list(5, MAX_ITEM_BYTES + 1, 7, 300_000)) == [
        (
            "batchapi.item_size_exceeds_limit",
            f"item 1 has size 256001 bytes which exceeds the limit (256000 bytes){HINT}",
        ),
        (
            "batchapi.item_size_exceeds_limit",
            f"item 3 has size 300000 bytes which exceeds the limit (256000 bytes){HINT}",
        ),
    ]
    # Whitespace inside an item counts, around it it does not.
    padded = b'{"workers":1,"item_list":{"batch_size":1,"items":[' + b" " * 300_000 + b"1]}}"
    assert faults(padded) == []
    assert len(faults(padded.replace(b"1]", b"[" + b" " * 300_000 + b"]]"))) == 1


def test_every_fault_is_found_in_the_order_of_the_checks() -> None:
    body = {
        "workers": 0,
        "timeout": "soon",
        "sqs_dead_letter_queue": {},
        "item_list": {"items": [], "batch_size": 0},
        "file_path_lister": {"s3_paths": ["a", "s3://b", 7], "includes": ["["], "batch_size": -1},
        "priority": 500,
        "on_bad_item": "x",
    }
    assert [kind for kind, _ in faults(body)] == [
        "error",  # timeout
        "error",  # s3_paths
        "job.conflicting_fields",
        "configreader.too_few_elements",
        MORE,  # batch_size of item_list
        MORE,  # batch_size of file_path_lister
        MORE,  # workers
        "configreader.cannot_be_empty",
        MORE,  # max_receive_count
        "error",  # glob
        "configreader.invalid_str",
        "configreader.must_be_less_than_or_equal_to",
    ]


def test_a_field_of_the_wrong_type_has_no_second_fault() -> None:
    body = {
        "workers": "1",
        "timeout": [],
        "item_list": {"items": "x", "batch_size": 1.5},
        "sqs_dead_letter_queue": {"arn": 1, "max_receive_count": {}},
    }
    found = faults(body)
    assert len(found) == 6
    assert all("cannot unmarshal" in message for _, message in found)
    assert len(faults(GOOD | {"item_list": 5})) == 1


def test_a_submission_is_read_leniently() -> None:
    body = (
        b' {"WORKERS" : 2, "Unknown": [{}], "timeout": null, "sqs_dead_letter_queue": null, "config": null,'
        b' "Item_List": {"Items": [ 1.0 , {"a": 12345678901234567890}], "batch_size": 3}, "file_path_lister": null} '
    )
    found = parse(body).submission
    assert found == Submission(
        workers=2, item_list=ItemList(items=b'[ 1.0 , {"a": 12345678901234567890}]', batch_size=3)
    )


def test_everything_that_may_be_said() -> None:
    found = parse(
        {
            "workers": 2,
            "sqs_dead_letter_queue": {"arn": "arn:x", "max_receive_count": 3},
            "config": {"b": 1, "a": [1.5]},
            "timeout": 60,
            "delimited_files": {"s3_paths": ["s3://b/x"], "includes": ["**.json"], "excludes": [], "batch_size": 10},
            "output": {"s3_path": "s3://out/p"},
            "on_bad_item": "skip",
            "priority": 9,
        }
    )
    assert found.submission == Submission(
        workers=2,
        dead_letter_queue=DeadLetterQueue(arn="arn:x", max_receive_count=3),
        config={"a": [Number("1.5")], "b": Number("1")},
        timeout_s=60,
        delimited_files=FileList(s3_paths=("s3://b/x",), includes=("**.json",), excludes=(), batch_size=10),
        output_s3_path="s3://out/p",
        on_bad_item="skip",
        priority=9,
    )
    assert found.searches == {"delimited_files": FileSearch(s3_paths=("s3://b/x",), includes=("**.json",))}


def test_the_stored_payload_is_that_of_cortex() -> None:
    items = parse(
        b'{"workers":1,"config":{"b":{"d":1,"c":2},"a":"<"},"item_list":{"items":[ 1.0, "<&>" , {"z": 1, "a": 2} ],"batch_size":2}}'
    ).submission
    assert items is not None
    assert dump_payload(items) == (
        b'{"workers":1,"sqs_dead_letter_queue":null,"config":{"a":"\\u003c","b":{"c":2,"d":1}},"timeout":null,'
        b'"item_list":{"items":[1.0,"\\u003c\\u0026\\u003e",{"z":1,"a":2}],"batch_size":2},'
        b'"file_path_lister":null,"delimited_files":null}'
    )
    files = parse({"workers": 1, "timeout": 5, "file_path_lister": FILES | {"excludes": []}, "priority": 1}).submission
    assert files is not None
    assert dump_payload(files) == (
        b'{"workers":1,"sqs_dead_letter_queue":null,"config":null,"timeout":5,"item_list":null,'
        b'"file_path_lister":{"s3_paths":["s3://bucket/a"],"includes":null,"excludes":[],"batch_size":1},'
        b'"delimited_files":null,"priority":1}'
    )


@given(
    st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=8,
        ),
        min_size=1,
    ),
    st.integers(1, 2**31),
    st.sampled_from([None, 1, "\t"]),
)
def test_any_items_come_out_of_the_payload_as_they_went_in(items: list[Any], batch_size: int, indent: Any) -> None:
    body = json.dumps({"workers": 1, "item_list": {"items": items, "batch_size": batch_size}}, indent=indent)
    submission = parse(body.encode()).submission
    assert submission is not None
    payload = dump_payload(submission)
    assert json.loads(payload)["item_list"] == {"items": items, "batch_size": batch_size}
    again = parse(payload).submission
    assert again is not None
    assert dump_payload(again) == payload
    assert again.item_list is not None
    assert len(list(elements(again.item_list.items))) == len(items)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_a_submission_or_have_faults(body: bytes) -> None:
    faults(body)
    parse_task_submission(body, "0.42.1")


NAMES = ["workers", "timeout", "item_list", "file_path_lister", "delimited_files", "config", "sqs_dead_letter_queue",
         "output", "on_bad_item", "priority", "items", "batch_size", "s3_paths", "includes", "excludes", "arn", "s3_path"]  # fmt: skip
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("s3://b/p"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(NAMES), ANY))
def test_any_object_is_a_submission_or_has_faults(body: dict[str, Any]) -> None:
    faults(body)
    found = parse_task_submission(json.dumps(body).encode(), "0.42.1")
    assert (found.submission is None) == bool(found.faults)


TASK_HINT = "\n\ntask job submission schema can be found at https://docs.cortexlabs.com/v/0.42/"


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b"", "error", f"unexpected end of JSON input{TASK_HINT}"),
        (b'{"workers":"1"}', "error", f"json: cannot unmarshal string into Go struct field TaskJobSubmission.workers of type int{TASK_HINT}"),
        (b"[]", "error", f"json: cannot unmarshal array into Go value of type schema.TaskJobSubmission{TASK_HINT}"),
        (b'{"workers":2}', "configreader.invalid_int", "workers: invalid value (got 2, must be 1)"),
        (b'{"timeout":0}', MORE, f"timeout: {LEAST} 0)"),
        (b'{"priority":-1}', MORE, "priority: must be greater than or equal to 0 (got -1)"),
    ],
)  # fmt: skip
def test_a_fault_of_a_task_has_the_kind_and_the_text_of_cortex(body: bytes, kind: str, message: str) -> None:
    found = parse_task_submission(body, "0.42.1")
    assert found.submission is None
    assert [(fault.kind, fault.message) for fault in found.faults] == [(kind, message)]


def test_a_task_has_one_worker() -> None:
    for body in (b"{}", b'{"workers":1}', b'{"workers":null}', b"null"):
        assert parse_task_submission(body, "0.42.1").submission == Submission(workers=1)
    found = parse_task_submission(b'{"config":{"a":1.0},"timeout":7,"item_list":5}', "master").submission
    assert found == Submission(workers=1, config={"a": Number("1.0")}, timeout_s=7)
