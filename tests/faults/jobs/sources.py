"""The three sources of items. Whatever the source, the item with the index `n` is the number `n`, or a path that ends in it."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any, Final
from urllib.parse import urlsplit

from tests.integration.cloud import Bucket, Cloud

BATCHES: Final = 1000
"""Of a job: so many that its enqueuer is at work for some seconds, and can be killed meanwhile."""
FILES: Final = 37
"""Of `delimited_files`: batches go over their borders."""
WRITERS: Final = 4
_MAX_SPACES: Final = 3


class Sources:
    """The files of a server, written once for all jobs.

    Args:
        cloud: the server.
        items: of each source.

    Attributes:
        batch_size: of all jobs.
    """

    def __init__(self, cloud: Cloud, items: int) -> None:
        self._cloud = cloud
        self._items = items
        self.batch_size = max(1, items // BATCHES)
        self._bucket: Bucket = cloud.bucket()
        self._written: set[str] = set()

    def submission(self, source: str) -> dict[str, Any]:
        """Return the source of a submission. Its files are written when they are needed for the first time."""
        return SOURCES[source](self)

    def item_list(self) -> dict[str, Any]:
        """Return the items themselves."""
        return {"item_list": {"items": list(range(self._items)), "batch_size": self.batch_size}}

    def file_path_lister(self) -> dict[str, Any]:
        """Return a prefix with a tiny file for each item."""
        self._write("paths", {f"paths/{number:08}": b"" for number in range(self._items)})
        return self._files("file_path_lister", "paths/")

    def delimited_files(self) -> dict[str, Any]:
        """Return a prefix with files of numbers: of different sizes, some compressed, and values not one a line."""
        files: dict[str, bytes] = {}
        for file in range(FILES):
            begin, end = (self._items * at * at // FILES**2 for at in (file, file + 1))
            text = "".join(f"{number}{' ' * (number % _MAX_SPACES)}\n" for number in range(begin, end)).encode()
            is_compressed = file % 3 == 1
            files[f"values/{file:04}.json{'.gz' * is_compressed}"] = gzip.compress(text) if is_compressed else text
        self._write("values", files)
        return self._files("delimited_files", "values/")

    def _files(self, name: str, prefix: str) -> dict[str, Any]:
        return {name: {"s3_paths": [f"s3://{self._bucket.name}/{prefix}"], "batch_size": self.batch_size}}

    def _write(self, name: str, files: Mapping[str, bytes]) -> None:
        if name in self._written:
            return
        keys = list(files)
        with ThreadPoolExecutor(WRITERS) as threads:
            list(threads.map(lambda first: self._put(keys[first::WRITERS], files), range(WRITERS)))
        self._written.add(name)

    def _put(self, keys: list[str], files: Mapping[str, bytes]) -> None:
        """Write files. The server checks no signatures; with the SDK 100,000 of them would take minutes."""
        connection = HTTPConnection(urlsplit(self._cloud.url).netloc, timeout=60)
        for key in keys:
            connection.request("PUT", f"/{self._bucket.name}/{key}", body=files[key])
            with connection.getresponse() as response:
                response.read()
                assert response.status == 200, f"{key}: {response.status}"
        connection.close()


SOURCES: Final[Mapping[str, Callable[[Sources], dict[str, Any]]]] = {
    "item_list": Sources.item_list,
    "file_path_lister": Sources.file_path_lister,
    "delimited_files": Sources.delimited_files,
}
