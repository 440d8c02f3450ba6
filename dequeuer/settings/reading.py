"""Collects the texts of the settings from everywhere, turns them into values, and keeps every fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from dequeuer.core.errors import ConfigurationError, clip
from dequeuer.settings.cluster_file import UnreadableError, read_cluster_file
from dequeuer.settings.environment import is_service_link, unknown_variables
from dequeuer.settings.flags import Flags, parse_flags
from dequeuer.settings.option import Command, Need, Option
from dequeuer.settings.options import OPTIONS, options_of
from dequeuer.settings.parsers import RefusedError
from dequeuer.settings.places import mask

T = TypeVar("T")


def read_line(command: Command, argv: Sequence[str]) -> Flags:
    """Return what the command line of a command says; no value is judged."""
    flags = {option.flag for option in options_of(command) if option.flag}
    elsewhere = {option.flag for option in OPTIONS if option.flag} - flags
    return parse_flags(argv, flags, elsewhere)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """A text and where it comes from, in words."""

    text: str
    source: str


class Reading:
    """One attempt at reading the settings of a command. Nothing is raised before `finish`."""

    def __init__(self, command: Command, argv: Sequence[str], environ: Mapping[str, str]) -> None:
        self._options = options_of(command)
        line = read_line(command, argv)
        self.faults: list[str] = line.faults
        if line.asked is not None:
            self.faults.append(f"--{line.asked}: asks a question and sets nothing; remove it")
        known = {name for option in OPTIONS for name in option.env}
        self.faults += unknown_variables(environ, known)
        self._given: dict[str, _Given] = {}
        self._values: dict[str, Any] = {}
        self._faulty: set[str] = set()
        for option in self._options:
            given = _look_up(option, line.values, environ)
            if given is not None:
                self._given[option.name] = given
                self._parse(option, given)
            elif option.default is not None:
                self._values[option.name] = option.parser.read(option.default)

    def _parse(self, option: Option[Any], given: _Given) -> None:
        try:
            self._values[option.name] = option.parser.read(given.text)
        except RefusedError as error:
            self._faulty.add(option.name)
            why = f" ({error})" if str(error) else ""
            self.faults.append(
                f'{given.source}: "{clip(mask(given.text))}" is not allowed{why}; '
                f"allowed: {option.parser.allowed}; {_advice(option)}"
            )

    def use_file(self, path: str, source: str) -> None:
        """Take from the cluster's configuration what nothing else has set; `source` is what names the file."""
        try:
            content = read_cluster_file(path)
        except UnreadableError as error:
            self.faults.append(
                f'{source}: "{clip(path)}" {error}; allowed: a YAML file with the keys region and bucket; '
                "correct the file or the path"
            )
            return
        for option in self._options:
            if option.file_key not in content:
                continue
            text, where = content[option.file_key], f"{option.file_key} in {clip(path)}"
            if not isinstance(text, str):
                self.faults.append(
                    f"{where}: is of type {type(text).__name__}; allowed: text, {option.parser.allowed}; "
                    "put it in quotes or correct it"
                )
                self._faulty.add(option.name)
            elif option.name not in self._given and text.strip():
                self._parse(option, _Given(text=text.strip(), source=where))

    def get(self, option: Option[T]) -> T | None:
        """Return a value; None when there is none, or none that is good."""
        return cast("T | None", self._values.get(option.name))

    def source(self, option: Option[Any]) -> str:
        """Return where a value comes from, or all the names it could go by."""
        given = self._given.get(option.name)
        return given.source if given else option.title

    def is_faulty(self, option: Option[Any]) -> bool:
        """Tell whether a text was given that could not be used."""
        return option.name in self._faulty

    def require(self, *needs: Need) -> None:
        """Add a fault for every setting that all of `needs` cannot go without and that was not given."""
        for option in self._options:
            absent = option.name not in self._values and option.name not in self._faulty
            if absent and set(needs) <= set(option.required_for):
                self.faults.append(f"{option.title}: is missing; allowed: {option.parser.allowed}; set it")

    def finish(self) -> None:
        """Raise `ConfigurationError` if there is any fault."""
        if self.faults:
            raise ConfigurationError(self.faults)

    def value(self, option: Option[T]) -> T:
        """Return a value that has a default or was required. Only after `finish`."""
        return cast("T", self._values[option.name])


def _look_up(option: Option[Any], flags: Mapping[str, str], environ: Mapping[str, str]) -> _Given | None:
    if option.flag is not None and option.flag in flags:
        return _Given(text=flags[option.flag].strip(), source=f"--{option.flag} (or {option.env[0]})")
    for name in option.env:
        if name not in environ or is_service_link(name, environ[name]):
            continue
        text = environ[name].strip()
        if text or option.empty_counts:
            return _Given(text=text, source=f"{name} (or --{option.flag})" if option.flag else name)
    return None


def _advice(option: Option[Any]) -> str:
    if option.default is not None:
        return f"correct it, or remove it for the default, {option.default_text()}"
    return "correct it"
