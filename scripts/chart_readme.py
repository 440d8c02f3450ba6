"""Writes deploy/chart/README.md from values.yaml and values.schema.json: `python scripts/chart_readme.py`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

CHART: Final = Path(__file__).resolve().parents[1] / "deploy" / "chart"
PAGE: Final = CHART / "README.md"
_HEAD: Final = """\
# The Helm chart

[Kubernetes](../../docs/kubernetes.md) says what the chart makes, in which order the containers of a pod end, and how
it scales. This page lists its values. It is generated: `python scripts/chart_readme.py`.

```
helm install dequeuer deploy/chart --namespace apis --create-namespace --values my-values.yaml
```

The smallest useful values:

```yaml
{minimal}```

[`ci/full.yaml`](ci/full.yaml) has every kind of API, and nearly every value. Values that are misspelt or out of
bounds are refused, and so are those that do not fit together: the error names the place and what is allowed.

- [The release](#the-release)
- [APIs](#apis)
- [Containers](#containers)
- [Mappings that several values have](#mappings-that-several-values-have)
- [TrafficSplitters](#trafficsplitters)
- [KEDA](#keda)
- [Programs](#programs)
"""
_APIS: Final = """\
`apis` is a mapping: names of APIs to these values. A name has at most 42 lower-case letters, digits and dashes, and
begins with a letter. `defaults` has the values for all APIs, except `kind`, `queueUrl`, `containers` and `endpoint`.
An API's own value wins: mappings are merged, lists are replaced. The defaults of this table are those of `defaults`.

"""
_BOUNDS: Final = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
}
_SHARED: Final = (
    "serviceAccount",
    "podDisruptionBudget",
    "networkPolicy",
    "httpRoute",
    "ingress",
    "env",
    "resources",
    "probe",
)


class Page:
    """The page, made from a schema and the default values."""

    def __init__(self, schema: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        self._schema = schema
        self._values = values

    def render(self, minimal: str) -> str:
        """Return the page."""
        top = self._schema["properties"]
        release = [
            name
            for name, node in top.items()
            if name not in {"global", "apis", "defaults", "trafficSplitters", "keda"} and node["type"] != "object"
        ]
        parts = [
            _HEAD.replace("{minimal}", minimal),
            "\n## The release\n\n",
            self._table(_only(self._schema, ["image", *release, "jobs", "cortexNames"]), self._values),
            "\n## APIs\n\n",
            _APIS,
            self._table(self._schema["definitions"]["api"], self._values["defaults"]),
            "\n## Containers\n\n`containers` is a list of containers, as in a pod of Kubernetes.\n\n",
            self._table(self._schema["definitions"]["container"], {}),
            "\n## Mappings that several values have\n",
        ]
        for name in _SHARED:
            node = self._schema["definitions"][name]
            parts.append(f"\n### {name}\n\n{node['description']}\n\n")
            parts.append(self._table(node.get("items", node), {}))
        parts.append("\n## TrafficSplitters\n\n`trafficSplitters` is a mapping: names to these values.\n\n")
        parts.append(self._table(top["trafficSplitters"]["additionalProperties"], {}))
        parts.append("\n## KEDA\n\n")
        parts.append(self._table(_only(self._schema, ["keda"]), self._values))
        parts.append("\n## Programs\n")
        for name in ("gateway", "webhooks", "ui", "controller"):
            parts.append(f"\n### {name}\n\n{top[name]['description']}\n\n")
            parts.append(self._table(top[name], self._values[name]))
        return "".join(parts)

    def _table(self, node: Mapping[str, Any], values: Mapping[str, Any]) -> str:
        rows = "".join(self._rows(node, values, ""))
        return "| value | default | allowed | meaning |\n| --- | --- | --- | --- |\n" + rows

    def _rows(self, node: Mapping[str, Any], values: Mapping[str, Any], prefix: str) -> Iterator[str]:
        for name, child in node["properties"].items():
            path = f"{prefix}{name}"
            given = values.get(name)
            if "$ref" in child:
                shared = child["$ref"].rpartition("/")[2]
                meaning = child.get("description", self._schema["definitions"][shared]["description"])
                yield _row(path, _default(given), f"[{shared}](#{_anchor(shared)})", meaning)
            elif "properties" in child:
                yield from self._rows(child, given if isinstance(given, dict) else {}, f"{path}.")
            else:
                yield _row(path, _default(given), self._allowed(child), child["description"])
                items = child.get("items", {})
                if "properties" in items:
                    yield from self._rows(items, {}, f"{path}[].")

    def _allowed(self, node: Mapping[str, Any]) -> str:
        if "enum" in node:
            *others, last = node["enum"]
            return f"{', '.join(others)} or {last}" if others else str(last)
        kinds = node["type"] if isinstance(node["type"], list) else [node["type"]]
        return " or ".join(self._kind(kind, node) for kind in kinds)

    def _kind(self, kind: str, node: Mapping[str, Any]) -> str:
        if kind == "array" and "$ref" in node.get("items", {}):
            return "a list of [containers](#containers)"
        names = {"boolean": "true or false", "string": "a text", "array": "a list", "object": "a mapping"}
        if kind in names:
            return names[kind]
        words = "a whole number" if kind == "integer" else "a number"
        if "minimum" in node and "maximum" in node:
            return f"{words} from {node['minimum']} to {node['maximum']}"
        bounds = [f"{text} {node[name]}" for name, text in _BOUNDS.items() if name in node]
        return ", ".join([words, *bounds])


def _only(node: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    return {"properties": {name: node["properties"][name] for name in names}}


def _anchor(shared: str) -> str:
    return "containers" if shared == "container" else shared.lower()


def _default(value: object) -> str:
    if value in (None, "", [], {}):
        return "-"
    return f"`{json.dumps(value)}`"


def _row(path: str, default: str, allowed: str, meaning: str) -> str:
    return f"| `{path}` | {default} | {allowed} | {meaning.replace('|', chr(92) + '|')} |\n"


def render() -> str:
    """Return the page."""
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    return Page(schema, values).render((CHART / "ci" / "minimal.yaml").read_text(encoding="utf-8"))


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
