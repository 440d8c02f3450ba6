"""Finds the text of each option, parses it, and collects all faults."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar, cast

from dequeuer.core.errors import ConfigurationError, clip, quoted
from dequeuer.files.reading import AbsentError, UnreadableError
from dequeuer.settings.cluster_file import read_cluster_file
from dequeuer.settings.environment import is_service_link, unknown_variables
from dequeuer.settings.flags import Flags, parse_flags
from dequeuer.settings.option import Option, User
from dequeuer.settings.parsers import InvalidValueError
from dequeuer.settings.programs import OPTIONS, Program, flags, switches, variables

T = TypeVar("T")


def read_flags(program: Program, argv: Sequence[str]) -> Flags:
    """Return the flags of a command line. The values are not parsed."""
    known = flags(program)
    return parse_flags(argv, known, set().union(*map(flags, OPTIONS)) - known, switches(program))


class Reader:
    """Reads the settings of a program once. Options are named by path (`user_port`, `aws.region`).

    Nothing is raised before `settings`, so that one error carries every fault.

    Attributes:
        values: the values that are allowed, those of defaults among them.
        sources: where the text of an option that was given comes from, in words. An option with a source and without a
            value is faulty.
        faults: everything that is not valid.
    """

    def __init__(self, program: Program, argv: Sequence[str], environ: Mapping[str, str]) -> None:
        self.values: dict[str, Any] = {}
        self.sources: dict[str, str] = {}
        self._options = OPTIONS[program]
        line = read_flags(program, argv)
        self.faults = line.faults
        if line.info is not None:
            self.faults.append(f"--{line.info}: prints information and sets nothing; remove it")
        self.faults += unknown_variables(environ, variables())
        for path, option in self._options.items():
            if given := _look_up(option, line.values, environ):
                self._parse(path, *given)
            elif option.default is not None:
                self.values[path] = option.parser.read(option.default)

    def _parse(self, path: str, text: str, source: str) -> None:
        option = self._options[path]
        self.sources[path] = source
        try:
            self.values[path] = option.parser.read(text)
        except InvalidValueError as error:
            why = f" ({error})" if str(error) else ""
            default = f", or remove it for the default, {option.default_text}" if option.default is not None else ""
            self.add_fault(path, f"{quoted(text)} is not allowed{why}", f"correct it{default}")

    def use_file(self, default: str) -> None:
        """Take options that were not given from the file that is named, else from `default`, which may be absent."""
        named = self.values.get("cluster_config")
        if named is None and "cluster_config" in self.sources:
            return
        file, by_key = named or default, {one.file_key: path for path, one in self._options.items() if one.file_key}
        try:
            content = read_cluster_file(file, by_key)
        except UnreadableError as error:
            if named or not isinstance(error, AbsentError):
                allowed = f"a YAML file with the keys {' and '.join(by_key)}"
                self.add_fault("cluster_config", f'"{clip(file)}" {error}', "correct the file or the path", allowed)
            return
        for key, text in content.items():
            path, where = by_key[key], f"{key} in {clip(file)}"
            if not isinstance(text, str):
                self.sources[path] = where
                allowed = f"text, {self._options[path].parser.allowed}"
                self.add_fault(path, f"is of type {type(text).__name__}", "put it in quotes or correct it", allowed)
            elif path not in self.sources and text.strip():
                self._parse(path, text.strip(), where)

    def source(self, path: str) -> str:
        """Return where a value comes from, or all names of the option when none was given."""
        return self.sources.get(path) or self._options[path].title

    def add_fault(self, path: str, wrong: str, action: str, allowed: str = "") -> None:
        """Add a fault of an option: what is wrong, what is allowed, and what to do."""
        allowed = allowed or self._options[path].parser.allowed
        self.faults.append(f"{self.source(path)}: {wrong}; allowed: {allowed}; {action}")

    def require(self, *users: User) -> None:
        """Add a fault for every option that was not given and that all of `users` require."""
        for path, option in self._options.items():
            if set(users) <= set(option.required_for) and path not in self.sources:
                self.add_fault(path, "is missing", "set it")

    def settings(self, model: type[T], computed: Mapping[str, object]) -> T:
        """Return the settings; `computed` are the values of options that were not given.

        Raises:
            ConfigurationError: with every fault.
        """
        if self.faults:
            raise ConfigurationError(self.faults)
        arguments: dict[str, dict[str, Any]] = defaultdict(dict)
        for path, value in {**computed, **self.values}.items():
            group, _, name = path.rpartition(".")
            arguments[group][name] = value
        groups = [one for one in fields(cast("Any", model)) if "group" in one.metadata]
        return model(**arguments[""], **{one.name: one.metadata["group"](**arguments[one.name]) for one in groups})


def _look_up(option: Option, flags: Mapping[str, str], environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the text of an option, and where it comes from in words."""
    if option.flag and option.flag in flags:
        return flags[option.flag].strip(), f"--{option.flag} (or {option.env[0]})"
    for name in option.env:
        text = environ.get(name, "").strip()
        if (text or (option.parser.takes_empty and name in environ)) and not is_service_link(name, text):
            return text, f"{name} (or --{option.flag})" if option.flag else name
    return None
