"""The environments: names of gateways, in `cli.yaml`, the file of Cortex's command line. Keys of others stay in it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dequeuer.core.errors import ConfigurationError, DequeuerError, clip, quoted
from dequeuer.settings.parsers import InvalidValueError
from dequeuer.settings.text_parsers import URL

MAX_NAME_CHARS: Final = 63


class EnvironmentsError(DequeuerError):
    """There is no such environment, or there is one already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A gateway.

    Attributes:
        name: for people.
        operator_endpoint: its URL.
        token_file: the path of a file with the token for it; None: no own one.
    """

    name: str
    operator_endpoint: str
    token_file: str | None = None


class Environments:
    """What `cli.yaml` holds. `content`: of the file; it is changed. `path`: of the file, for the texts of errors.

    Raises:
        ConfigurationError: the content is not that of such a file.
    """

    def __init__(self, content: dict[str, Any], path: str) -> None:
        self.content = content
        listed = content.get("environments")
        if listed is not None and not isinstance(listed, list):
            raise ConfigurationError([f"{clip(path)}: environments is no list; correct it"])
        self._fields: list[dict[str, Any]] = []
        for at, fields in enumerate(listed or ()):
            found = _environment(fields, f"{clip(path)}: environments[{at}]")
            if self.find(found.name) is not None:
                raise ConfigurationError([f"{clip(path)}: environments has {quoted(found.name)} twice; remove one"])
            self._fields.append(fields)

    def __iter__(self) -> Iterator[Environment]:
        return (_environment(fields, "environments") for fields in self._fields)

    @property
    def default_name(self) -> str | None:
        """The name of the default environment: the one that was set, or the only one."""
        given = self.content.get("default_environment")
        if isinstance(given, str) and self.find(given) is not None:
            return given
        return self._fields[0]["name"] if len(self._fields) == 1 else None

    def find(self, name: str) -> Environment | None:
        """Return an environment; None: there is none of this name."""
        return next((one for one in self if one.name == name), None)

    def named(self, name: str | None) -> Environment:
        """Return an environment; None: the default one. Raises `EnvironmentsError`."""
        if name is None:
            name = self.default_name
        if name is None:
            self.require_any()
            raise EnvironmentsError(
                "no environment was provided and the default environment is not set; name one with -e/--env, or run "
                "`cortex env default NAME`"
            )
        found = self.find(name)
        if found is None:
            raise EnvironmentsError(f"there is no environment named {clip(name)}; `cortex env list` shows all of them")
        return found

    def require_any(self) -> None:
        """Raise `EnvironmentsError` when there is none."""
        if not self._fields:
            raise EnvironmentsError(
                "no environments are configured; run `cortex env configure NAME --operator-endpoint URL`"
            )

    def put(self, environment: Environment) -> None:
        """Add an environment, or change the one of its name. With another address its token is forgotten."""
        own = {"name": environment.name, "operator_endpoint": environment.operator_endpoint}
        if environment.token_file is not None:
            own["token_file"] = environment.token_file
        fields = next((one for one in self._fields if one["name"] == environment.name), None)
        if fields is None:
            self._fields.append(own)
        else:
            # The token is a secret between its owner and the gateway of the former address.
            if check_endpoint(fields["operator_endpoint"]) != environment.operator_endpoint:
                fields.pop("token_file", None)
            fields.update(own)
        self._store()

    def set_default(self, name: str) -> None:
        """Make an environment the default one. Raises `EnvironmentsError`."""
        self.content["default_environment"] = self.named(name).name

    def rename(self, name: str, new_name: str) -> None:
        """Rename an environment. Raises `EnvironmentsError`, `ConfigurationError`."""
        self.named(name)
        check_name(new_name)
        if self.find(new_name) is not None:
            raise EnvironmentsError(f"there is already an environment named {clip(new_name)}")
        next(one for one in self._fields if one["name"] == name)["name"] = new_name
        if self.content.get("default_environment") == name:
            self.content["default_environment"] = new_name
        self._store()

    def remove(self, name: str) -> None:
        """Forget an environment. Raises `EnvironmentsError`."""
        self.named(name)
        self._fields = [one for one in self._fields if one["name"] != name]
        if self.content.get("default_environment") == name:
            self.content["default_environment"] = None
        self._store()

    def _store(self) -> None:
        self.content["environments"] = self._fields


def folder_of(environ: Mapping[str, str]) -> Path:
    """Return the folder of the file."""
    return Path(os.path.expanduser(environ.get("CORTEX_CLI_CONFIG_DIR") or "~/.cortex"))  # noqa: PTH111 - it never raises


def check_name(name: str) -> str:
    """Return the name of an environment. Raises `ConfigurationError`."""
    if not name or len(name) > MAX_NAME_CHARS or not name.isprintable():
        raise ConfigurationError(
            [f"the name of the environment is {quoted(name)}; allowed: 1 to {MAX_NAME_CHARS} visible characters"]
        )
    return name


def check_endpoint(given: str) -> str:
    """Return the URL of a gateway; without a scheme it is https, as in Cortex. Raises `ConfigurationError`."""
    text = given.strip()
    try:
        return URL.read(text if "://" in text else f"https://{text}").rstrip("/")
    except InvalidValueError as error:
        why = f" ({error})" if str(error) else ""
        raise ConfigurationError([f"the operator endpoint is {quoted(given)}{why}; allowed: {URL.allowed}"]) from None


def _environment(fields: object, where: str) -> Environment:
    name = fields.get("name") if isinstance(fields, dict) else None
    endpoint = fields.get("operator_endpoint") if isinstance(fields, dict) else None
    if not isinstance(fields, dict) or not isinstance(name, str) or not isinstance(endpoint, str):
        raise ConfigurationError([f"{where} needs name and operator_endpoint, both text; correct or remove it"])
    token_file = fields.get("token_file")
    if token_file is not None and not isinstance(token_file, str):
        raise ConfigurationError([f"{where}: token_file is no text; write the path of a file with a token"])
    return Environment(name=check_name(name), operator_endpoint=check_endpoint(endpoint), token_file=token_file)
