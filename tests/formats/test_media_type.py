import pytest

from dequeuer.formats.media_type import is_json


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;",
        " application/json ; x",
        'application/json; profile="a, b"',
        "application/json, application/json",
        "application/json; charset=utf-8, Application/JSON",
        "application/json,",
    ],
)
def test_json(content_type: str) -> None:
    assert is_json(content_type)


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/json",
        "application/problem+json",
        "application/jsonp",
        "application/json-seq",
        "text/html; application/json",
        "text/html, application/json",
        "application/json, text/html",
        "application/json; charset=utf-8, text/html",
        'text/html; x="a, application/json"',
        ",",
    ],
)
def test_not_json(content_type: str | None) -> None:
    assert not is_json(content_type)
