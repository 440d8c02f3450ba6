"""The error texts of Go's encoding/json, which Cortex sends to its clients as they are."""

from __future__ import annotations

from dequeuer.core.errors import clip
from dequeuer.formats.json_text import InvalidJsonError

_LITERALS = ("true", "false", "null")
_PLACES = {
    "no value": "looking for beginning of value",
    "no key": "looking for beginning of object key string",
    "no colon": "after object key",
    "something after the value": "after top-level value",
    "a control character in a string": "in string literal",
    "no digit after a sign": "in numeric literal",
    "no digit after a point": "after decimal point in numeric literal",
    "no digit in an exponent": "in exponent of numeric literal",
}
_QUOTED = {
    "'": "\\'",
    "\\": "\\\\",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}
_KINDS = {
    ord('"'): "string",
    ord("["): "array",
    ord("{"): "object",
    ord("t"): "bool",
    ord("f"): "bool",
    ord("n"): "null",
}


def syntax_error(text: bytes, error: InvalidJsonError) -> str:
    """Return what Go says of a text that is not JSON."""
    if error.at is None:
        return "unexpected end of JSON input"
    return f"invalid character {_quote(text[error.at])} {_place(text, error, error.at)}"


def type_error(value: bytes, go_type: str, struct: str, field: str) -> str:
    """Return what Go says of a value that is not of the type of its field.

    Args:
        value: its JSON text.
        go_type: of the field.
        struct: name of the type that the field is in; "" when the value is the whole text.
        field: its name, and those of the fields around it, with dots between.
    """
    kind = _KINDS.get(value[0]) or f"number {clip(value.decode())}"
    if kind.startswith("number") and go_type not in ("int", "float64"):
        kind = "number"
    target = f"struct field {struct}.{field}" if struct else "value"
    return f"json: cannot unmarshal {kind} into Go {target} of type {go_type}"


def _place(text: bytes, error: InvalidJsonError, at: int) -> str:
    if error.what == "neither a comma nor the end":
        return "after array element" if error.container == "[" else "after object key:value pair"
    if error.what == "an unknown escape":
        return "in string escape code" if text[at - 1 : at] == b"\\" else "in \\u hexadecimal character escape"
    if error.what == "no value" and (literal := _literal_before(text, at)) is not None:
        return f"in literal {literal[0]} (expecting '{literal[0][literal[1]]}')"
    return _PLACES.get(error.what, "exceeded max depth")


def _literal_before(text: bytes, at: int) -> tuple[str, int] | None:
    """Return the literal that is broken off at a position, and how many of its letters are there."""
    start = at
    while start > 0 and at - start < 4 and text[start - 1 : start].isalpha():
        start -= 1
    begun = text[start:at].decode("latin-1")
    return next(((name, len(begun)) for name in _LITERALS if begun and name.startswith(begun)), None)


def _quote(byte: int) -> str:
    character = chr(byte)
    if character == '"':
        return "'\"'"
    if character in _QUOTED:
        return f"'{_QUOTED[character]}'"
    if character.isprintable():
        return f"'{character}'"
    return f"'\\x{byte:02x}'" if byte < 0x80 else f"'\\u{byte:04x}'"
