"""How an option is declared: as a field of a settings class, with `option()` and a docstring.

The docstring of the class begins the help of its program.

Reading, validation, `--help` and docs/configuration.md use these declarations and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Literal, TypedDict, TypeVar, Unpack, cast, dataclass_transform, overload

from dequeuer.settings.parsers import Parser

T = TypeVar("T")

OneUser = Literal[
    "gateway",
    "enqueuer",
    "controller",
    "jobs_command",
    "requests_command",
    "cortex_command",
    "proxy",
    "webhooks",
    "provision",
    "ui",
]
"""The programs that have one use: each is a user of options by its own name."""
User = Literal["async", "batch", "queue"] | OneUser
"""Who uses an option: the sidecar of an async API, of a batch API or of any queue, the gateway, the enqueuer, the
controller, `dequeuer jobs`, a command for requests, `dequeuer cortex`, the realtime proxy, `dequeuer webhooks`,
`dequeuer provision` or `dequeuer ui`."""


class Details(TypedDict, total=False):
    """What `option()` takes by keyword, beside `default`.

    Attributes:
        flag: without its dashes; wins over the variables.
        required_for: who cannot work without it. For the others its value is "" when it is not given: only an option
            of type str may be required for some and not for others.
        file_key: the key of cluster.yaml that is read when neither flag nor variable is given.
        unset: what applies when nothing is given and there is no `default`, in words.
        is_switch: whether the flag may stand without a value, which then is `true`, and never takes the argument that
            follows it: Go's boolean flags.
    """

    flag: str
    required_for: tuple[User, ...]
    file_key: str
    unset: str
    is_switch: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Option:
    """A declaration. The attributes are the arguments of `option()`."""

    parser: Parser[Any]
    env: tuple[str, ...]
    default: str | None = None
    flag: str | None = None
    required_for: tuple[User, ...] = ()
    file_key: str | None = None
    unset: str = ""
    is_switch: bool = False

    @property
    def title(self) -> str:
        """All names of the option, for an error text."""
        first, *others = (*self.env, f"--{self.flag}") if self.flag else self.env
        return f"{first} (or {', '.join(others)})" if others else first

    @property
    def default_text(self) -> str:
        """The default in words; "" when there is none."""
        return self.unset if self.default is None else f"{self.default} {self.parser.unit}".rstrip()


@overload
def option(parser: Parser[T], *env: str, default: None, **details: Unpack[Details]) -> T | None: ...
@overload
def option(parser: Parser[T], *env: str, default: str = ..., **details: Unpack[Details]) -> T: ...
def option(parser: Parser[Any], *env: str, default: Any = MISSING, **details: Unpack[Details]) -> Any:
    """Declare an option, as the value of a field of a settings class. The docstring of the field is its help.

    Args:
        parser: makes the value of a text.
        env: environment variables; the first one that is set wins.
        default: as text, read by `parser`. None: the value is None when nothing is given. Without it, the option is
            required, or the program finds a value by itself.
        details: see `Details`.
    """
    text = default if isinstance(default, str) else None
    declared = Option(parser=parser, env=env, default=text, **details)
    value = parser.read(text) if text is not None else "" if declared.required_for else default
    return field(default=value, metadata={"option": declared})


def group(model: type[T]) -> T:
    """Declare a field that holds the options of another settings class."""
    return cast("T", field(metadata={"group": model}))


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(option, group))
def settings_class(model: type[T]) -> type[T]:
    """Make a frozen dataclass of a class whose fields are declared with `option()` and `group()`."""
    return dataclass(frozen=True, slots=True, kw_only=True)(model)


def declarations(model: Any, prefix: str = "") -> Iterator[tuple[str, type, Field[Any]]]:
    """Yield each option of a settings class: its path (`user_port`, `aws.region`), its class and its field.

    Inherited options are last, so that `--help` begins with those of the program.
    """
    for one in sorted(fields(model), key=lambda one: one.name not in model.__slots__):
        if "group" in one.metadata:
            yield from declarations(one.metadata["group"], f"{prefix}{one.name}.")
        else:
            yield prefix + one.name, model, one
