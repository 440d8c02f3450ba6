"""Writes the tables of docs/apis.md from the models: `python -m dequeuer.apis.docs docs/apis.md`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from dequeuer.apis.fields import Field, fields_of, find_field
from dequeuer.apis.kinds import MODELS

_HEAD = "| key | kinds | default | allowed | meaning |\n| --- | --- | --- | --- | --- |\n"
_TABLE = re.compile(rf"{re.escape(_HEAD)}(?:\|.*\n)*")
_CONTAINERS = ("pod", "containers")

SECTIONS: dict[str, tuple[str, ...]] = {
    "API": (),
    "pod": ("pod",),
    "containers": _CONTAINERS,
    "compute": (*_CONTAINERS, "compute"),
    "readiness_probe and liveness_probe": (*_CONTAINERS, "liveness_probe"),
    "pre_stop": (*_CONTAINERS, "pre_stop"),
    "http_get": (*_CONTAINERS, "liveness_probe", "http_get"),
    "tcp_socket": (*_CONTAINERS, "liveness_probe", "tcp_socket"),
    "exec": (*_CONTAINERS, "liveness_probe", "exec"),
    "autoscaling": ("autoscaling",),
    "update_strategy": ("update_strategy",),
    "networking": ("networking",),
    "apis": ("apis",),
}
"""The mappings of the file: their heading on the page, and one place where they are."""


def models_at(path: tuple[str, ...]) -> dict[str, type[BaseModel]]:
    """Return the model of a mapping for each kind of API that has it."""
    if not path:
        return dict(MODELS)
    fields = {kind: find_field(model, path) for kind, model in MODELS.items()}
    return {kind: field.model for kind, field in fields.items() if field is not None and field.model is not None}


def render(page: str) -> str:
    """Return docs/apis.md with its tables made anew, one for each of `SECTIONS`."""
    texts, tables = _TABLE.split(page), [*map(_table, SECTIONS.values()), ""]
    return "".join(text + table for text, table in zip(texts, tables, strict=True))


def _table(path: tuple[str, ...]) -> str:
    models = models_at(path)
    rows: dict[tuple[str, str, str, str], list[str]] = {}
    for kind, model in models.items():
        for field in fields_of(model).values():
            row = field.key, _default(field), _allowed(field), " ".join((field.info.description or "").split())
            rows.setdefault(row, []).append(kind)
    # A stable sort: the rows of a key that differs between kinds stand together, in the order of the first kind.
    order = list(dict.fromkeys(key for key, *_ in rows))
    table = _HEAD
    for (key, *others), kinds in sorted(rows.items(), key=lambda row: order.index(row[0][0])):
        names = "all" if len(kinds) == len(models) else ", ".join(kinds)
        table += f"| {' | '.join([f'`{key}`', names, *others])} |\n"
    return table


def _default(field: Field) -> str:
    default = field.info.default
    if default is PydanticUndefined:
        return "required" if field.info.default_factory is None else "-"
    if default is None:
        return "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _allowed(field: Field) -> str:
    if field.model is None or field.is_list:
        return field.allowed
    title = next(title for title, path in SECTIONS.items() if field.key in {title, *path[-1:], *title.split(" and ")})
    return f"[a mapping](#{title.replace(' ', '-')})"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(render(path.read_text(encoding="utf-8")), encoding="utf-8")
