import pytest

from dequeuer.formats.go_json_errors import syntax_error, type_error
from dequeuer.formats.json_text import MAX_DEPTH, InvalidJsonError, check_json


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"", "unexpected end of JSON input"), (b'{"a"', "unexpected end of JSON input"), (b'"a', "unexpected end of JSON input"),
        (b"x", "invalid character 'x' looking for beginning of value"), (b"[1,]", "invalid character ']' looking for beginning of value"),
        (b"\xc3\xa9", "invalid character '\u00c3' looking for beginning of value"), (b"'a'", "invalid character '\\'' looking for beginning of value"),
        (b"\x00", "invalid character '\\x00' looking for beginning of value"), (b"\\", "invalid character '\\\\' looking for beginning of value"),
        ("\u00a0".encode(), "invalid character '\u00c2' looking for beginning of value"), (b"\xc2\x85", "invalid character '\u00c2' looking for beginning of value"),
        (b'{"a":1,}', "invalid character '}' looking for beginning of object key string"), (b"{a", "invalid character 'a' looking for beginning of object key string"),
        (b'{"a" 1}', "invalid character '1' after object key"), (b'{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
        (b"[1 2]", "invalid character '2' after array element"), (b"[[1] {", "invalid character '{' after array element"),
        (b"1 2", "invalid character '2' after top-level value"), (b"01", "invalid character '1' after top-level value"),
        (b'"\n"', "invalid character '\\n' in string literal"), (b'"\\x"', "invalid character 'x' in string escape code"),
        (b'"\\u0\\"', "invalid character '\\\\' in \\u hexadecimal character escape"), (b'"\\u00g0"', "invalid character 'g' in \\u hexadecimal character escape"),
        (b"-x", "invalid character 'x' in numeric literal"), (b"1.x", "invalid character 'x' after decimal point in numeric literal"),
        (b"1ex", "invalid character 'x' in exponent of numeric literal"), (b"trux", "invalid character 'x' in literal true (expecting 'e')"),
        (b"[nulL]", "invalid character 'L' in literal null (expecting 'l')"), (b'{"a":fa1', "invalid character '1' in literal false (expecting 'l')"),
        (b"[" * (MAX_DEPTH + 1), "invalid character '[' exceeded max depth"),
    ],
)  # fmt: skip
def test_invalid_json_is_reported_in_the_words_of_go(text: bytes, fault: str) -> None:
    with pytest.raises(InvalidJsonError) as caught:
        check_json(text)
    assert syntax_error(text, caught.value) == fault


@pytest.mark.parametrize(
    ("value", "go_type", "struct", "field", "fault"),
    [
        (b'"2"', "int", "T", "workers", "json: cannot unmarshal string into Go struct field T.workers of type int"),
        (b"1.5", "int", "T", "workers", "json: cannot unmarshal number 1.5 into Go struct field T.workers of type int"),
        (b"7", "string", "Q", "q.arn", "json: cannot unmarshal number into Go struct field Q.q.arn of type string"),
        (b"true", "int", "T", "a", "json: cannot unmarshal bool into Go struct field T.a of type int"),
        (b"{}", "[]string", "T", "a", "json: cannot unmarshal object into Go struct field T.a of type []string"),
        (b"[1]", "schema.T", "", "", "json: cannot unmarshal array into Go value of type schema.T"),
    ],
)
def test_a_wrong_type_is_reported_in_the_words_of_go(
    value: bytes, go_type: str, struct: str, field: str, fault: str
) -> None:
    assert type_error(value, go_type, struct, field) == fault


def test_a_number_of_any_length_is_cut() -> None:
    assert len(type_error(b"9" * 1_000_000, "int", "T", "a")) < 400
