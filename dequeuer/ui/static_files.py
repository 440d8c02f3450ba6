"""The files of the page. All are read at the start: no path of a request ever becomes the path of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from aiohttp import web

INDEX: Final = "index.html"
LOGIN: Final = "login.html"
TYPES: Final[Mapping[str, str]] = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}
"""By the end of the name. Other files are not served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFile:
    """A file. `media_type`: without its charset, which is UTF-8."""

    content: bytes
    media_type: str

    def response(self, status: int = 200) -> web.Response:
        """Return the file as a response."""
        headers = {"Content-Type": f"{self.media_type}; charset=utf-8", "Cache-Control": "no-cache"}
        return web.Response(status=status, body=self.content, headers=headers)


def load_static_files() -> Mapping[str, StaticFile]:
    """Return the files by name. Blocks."""
    found = {}
    for one in files("dequeuer.ui").joinpath("static").iterdir():
        media_type = TYPES.get(one.name.rpartition(".")[2])
        if media_type is not None and one.is_file():
            found[one.name] = StaticFile(content=one.read_bytes(), media_type=media_type)
    return found
