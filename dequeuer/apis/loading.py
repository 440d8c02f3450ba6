"""Loads a cortex.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from dequeuer.apis.checking import check_api
from dequeuer.apis.document import read_document
from dequeuer.apis.faults import MAX_FAULTS, DocumentError, configuration_error
from dequeuer.apis.kinds import Api
from dequeuer.apis.uniqueness import find_clashes, find_duplicates, find_missing_targets
from dequeuer.apis.values import Document
from dequeuer.core.errors import ConfigurationError, clip
from dequeuer.files.reading import UnreadableError, read_bounded

MAX_BYTES = 2**20


class Apis:
    """The APIs of a file, in its order. Immutable."""

    def __init__(self, apis: Mapping[str, Api]) -> None:
        self._apis = MappingProxyType(dict(apis))

    def get(self, name: str) -> Api | None:
        """Return the API of this name; None when there is none."""
        return self._apis.get(name)

    def __iter__(self) -> Iterator[Api]:
        return iter(self._apis.values())

    def __len__(self) -> int:
        return len(self._apis)


def load_apis(path: str, *, has_all_targets: bool = False) -> Apis:
    """Return the APIs of a file. Blocks while it is read.

    Args:
        path: of the file.
        has_all_targets: the APIs of its splitters must be in it, too.

    Raises:
        ConfigurationError: the file cannot be read, or with every fault that it has:
            `cortex.yaml:12:9: apis[1].pod.port (API sum): ...`.
    """
    try:
        data = read_bounded(path, MAX_BYTES)
    except UnreadableError as error:
        raise ConfigurationError([f"{clip(path)}: {error}; allowed: a readable file with a list of APIs"]) from None
    return parse_apis(data, path, has_all_targets=has_all_targets)


def parse_apis(data: bytes, file: str, *, has_all_targets: bool = False) -> Apis:
    """Return the APIs of the content of a file.

    Args:
        data: the content.
        file: its name in the text of a fault.
        has_all_targets: see `load_apis`.

    Raises:
        ConfigurationError: with every fault.
    """
    try:
        document = Document(read_document(data))
        _check_is_list(document)
    except DocumentError as error:
        raise configuration_error(file, [error.fault]) from None
    faults = [*document.faults, *find_duplicates(document), *find_clashes(document)]
    if has_all_targets:
        faults += find_missing_targets(document)
    apis: list[Api] = []
    for index in range(len(document.value)):
        if len(faults) > MAX_FAULTS:
            break
        checked = check_api(document, index)
        if isinstance(checked, list):
            faults += checked
        else:
            apis.append(checked)
    if faults:
        raise configuration_error(file, faults)
    return Apis({api.name: api for api in apis})


def _check_is_list(document: Document) -> None:
    if isinstance(document.value, tuple) and document.value:
        return
    mark = document.node(()).start_mark
    what = "has no API" if document.value in ((), None) else "holds no list"
    raise DocumentError(f"{what}; allowed: a list of APIs; begin each with `- name: <name>`", mark.line, mark.column)
