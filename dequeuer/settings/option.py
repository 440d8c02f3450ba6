"""How an option is declared: as a field of a settings class, with `option()` and a docstring.

Reading, validation, `--help` and docs/configuration.md use these declarations and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Literal, TypedDict, TypeVar, Unpack, cast, dataclass_transform, overload

from dequeuer.settings.parsers import Parser

T = TypeVar("T")

User = Literal["async", "batch", "gateway"]
"""Who uses an option: the sidecar of an async or of a batch API, or the gateway."""


class Details(TypedDict, total=False):
    """What `option()` takes by keyword, beside `default`.

    Attributes:
        flag: without its dashes; wins over the variables.
        required_for: who cannot work without it. For the others its value is "" when it is not given: only an option
            of type str may be required for some and not for others.
        file_key: the key of cluster.yaml that is read when neither flag nor variable is given.
        default_note: what applies when nothing is given and there is no `default`.
    """

    flag: str
    required_for: tuple[User, ...]
    file_key: str
    default_note: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Option:
    """A declaration. The attributes are the arguments of `option()`."""

    env: tuple[str, ...]
    parser: Parser[Any]
    default: str | None
    flag: str | None = None
    required_for: tuple[User, ...] = ()
    file_key: str | None = None
    default_note: str = ""

    @property
    def title(self) -> str:
        """All names of the option, for an error text."""
        names = [*self.env, *([f"--{self.flag}"] if self.flag else [])]
        return names[0] + (f" (or {', '.join(names[1:])})" if len(names) > 1 else "")

    @property
    def default_text(self) -> str:
        """The default in words; "" when there is none."""
        return self.default_note if self.default is None else f"{self.default} {self.parser.unit}".rstrip()


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
    return field(default=default if text is None else parser.read(text), metadata={"option": declared})


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


def options_of(model: type) -> Mapping[str, Option]:
    """Return the options of a settings class by path."""
    return {path: one.metadata["option"] for path, _, one in declarations(model)}


def build(model: type[T], values: Mapping[str, Any], prefix: str = "") -> T:
    """Return an instance of a settings class. `values` are by path; an absent one is the default of its field."""
    arguments: dict[str, Any] = {}
    for one in fields(cast("Any", model)):
        path = prefix + one.name
        if "group" in one.metadata:
            arguments[one.name] = build(one.metadata["group"], values, f"{path}.")
        elif path in values:
            arguments[one.name] = values[path]
        elif one.metadata["option"].required_for:
            arguments[one.name] = ""
    return model(**arguments)
