"""Finds the text of each option, parses it, and collects all faults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from dequeuer.core.errors import ConfigurationError, clip
from dequeuer.files.reading import UnreadableError
from dequeuer.settings.cluster_file import read_cluster_file
from dequeuer.settings.environment import is_service_link, unknown_variables
from dequeuer.settings.flags import Flags, parse_flags
from dequeuer.settings.option import Option, User, build
from dequeuer.settings.parsers import InvalidValueError
from dequeuer.settings.programs import OPTIONS, Program, flags, variables
from dequeuer.settings.url_parsers import mask

T = TypeVar("T")


def read_flags(program: Program, argv: Sequence[str]) -> Flags:
    """Return the flags of a command line. The values are not parsed."""
    known = flags(program)
    return parse_flags(argv, known, set().union(*map(flags, OPTIONS)) - known)


class Reader:
    """Reads the settings of a program once. Options are named by path (`user_port`, `aws.region`).

    Nothing is raised before `settings`, so that one error carries every fault.
    """

    def __init__(self, program: Program, argv: Sequence[str], environ: Mapping[str, str]) -> None:
        self._options = OPTIONS[program]
        line = read_flags(program, argv)
        self.faults = line.faults
        if line.info is not None:
            self.faults.append(f"--{line.info}: prints information and sets nothing; remove it")
        self.faults += unknown_variables(environ, variables())
        self._values: dict[str, Any] = {}
        self._sources: dict[str, str] = {}
        self._faulty: set[str] = set()
        for path, option in self._options.items():
            given = _look_up(option, line.values, environ)
            if given is not None:
                self._parse(path, *given)
            elif option.default is not None:
                self._values[path] = option.parser.read(option.default)

    def _parse(self, path: str, text: str, source: str) -> None:
        option = self._options[path]
        self._sources[path] = source
        try:
            self._values[path] = option.parser.read(text)
        except InvalidValueError as error:
            self._faulty.add(path)
            why = f" ({error})" if str(error) else ""
            default = f", or remove it for the default, {option.default_text}" if option.default is not None else ""
            self.faults.append(
                f'{source}: "{clip(mask(text))}" is not allowed{why}; allowed: {option.parser.allowed}; '
                f"correct it{default}"
            )

    def use_file(self, file: str, source: str) -> None:
        """Take options that were not given from the cluster's configuration; `source` is what names the file."""
        by_key = {option.file_key: path for path, option in self._options.items() if option.file_key}
        try:
            content = read_cluster_file(file, by_key)
        except UnreadableError as error:
            self.faults.append(
                f'{source}: "{clip(file)}" {error}; allowed: a YAML file with the keys {" and ".join(by_key)}; '
                "correct the file or the path"
            )
            return
        for key, text in content.items():
            path, where = by_key[key], f"{key} in {clip(file)}"
            if not isinstance(text, str):
                self._faulty.add(path)
                self.faults.append(
                    f"{where}: is of type {type(text).__name__}; allowed: text, {self.allowed(path)}; "
                    "put it in quotes or correct it"
                )
            elif path not in self._sources and text.strip():
                self._parse(path, text.strip(), where)

    def get(self, path: str) -> Any:
        """Return a value; None when none was given and there is no default, or when it is not allowed."""
        return self._values.get(path)

    def source(self, path: str) -> str:
        """Return where a value comes from, or all names of the option when none was given."""
        return self._sources.get(path) or self._options[path].title

    def is_faulty(self, path: str) -> bool:
        """Return whether a text was given that is not allowed."""
        return path in self._faulty

    def allowed(self, path: str) -> str:
        """Return what may be given for an option, in words."""
        return self._options[path].parser.allowed

    def require(self, *users: User) -> None:
        """Add a fault for every option that was not given and that all of `users` require."""
        for path, option in self._options.items():
            if path not in self._values and path not in self._faulty and set(users) <= set(option.required_for):
                self.faults.append(f"{option.title}: is missing; allowed: {option.parser.allowed}; set it")

    def settings(self, model: type[T], computed: Mapping[str, object]) -> T:
        """Return the settings; `computed` are the values of options that were not given.

        Raises:
            ConfigurationError: with every fault.
        """
        if self.faults:
            raise ConfigurationError(self.faults)
        return build(model, {**computed, **self._values})


def _look_up(option: Option, flags: Mapping[str, str], environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the text of an option, and where it comes from in words."""
    if option.flag is not None and option.flag in flags:
        return flags[option.flag].strip(), f"--{option.flag} (or {option.env[0]})"
    for name in option.env:
        if name not in environ or is_service_link(name, environ[name]):
            continue
        text = environ[name].strip()
        if text or option.parser.takes_empty:
            return text, f"{name} (or --{option.flag})" if option.flag else name
    return None
