"""The JSON Schema of cortex.yaml, for editors: `python -m dequeuer.apis.schema docs/cortex.schema.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter

from dequeuer.apis.kinds import Api


def render() -> str:
    """Return the schema as text. It knows keys, types and limits of single values, not the rules between values."""
    adapter: TypeAdapter[list[Api]] = TypeAdapter(list[Annotated[Api, Field(discriminator="kind")]])
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "cortex.yaml"}
    return json.dumps(schema | adapter.json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render(), encoding="utf-8")
