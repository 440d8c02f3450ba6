"""Values as YAML that every parser reads the same way, with the notes in front."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

_PLAIN: Final = re.compile(r"[A-Za-z]+(?:[-/_][A-Za-z]+)*\Z")
_WORDS: Final = frozenset(
    "y yes n no on off true false null nan inf".split()  # noqa: SIM905 - a list of words
)
"""Words that some version of YAML reads as something else than text, in any case of their letters."""


class _Dumper(yaml.SafeDumper):
    """Puts each text in quotes that is not a plain word: a date, `1e3` and `0o7` are text for one parser alone."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML calls it
        # Helm reads aliases, people do not like to.
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002 - the same
        super().increase_indent(flow, indentless=False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    is_plain = _PLAIN.match(text) is not None and text.lower() not in _WORDS
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_plain else '"')


_Dumper.add_representer(str, _text)


def values_text(values: Mapping[str, Any], notes: Sequence[str], file: str) -> str:
    """Return the values as YAML; the notes are comments in front of them."""
    head = [f"# Values of the chart dequeuer, from {file}."]
    if notes:
        head += ["#", "# Not carried over, or to be decided:", *(f"# - {note}" for note in notes)]
    body = yaml.dump(
        dict(values), Dumper=_Dumper, sort_keys=False, allow_unicode=False, width=2**31, default_flow_style=False
    )
    # A terminal that knows ASCII only shows a foreign file name with escapes, instead of failing.
    comments = "\n".join(head).encode("ascii", "backslashreplace").decode("ascii")
    return f"{comments}\n\n{body}"
