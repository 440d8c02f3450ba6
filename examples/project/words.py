"""The other container of the async API: it keeps a file up to date, as one would that downloads a model."""

import os
import time
from pathlib import Path

PATH = Path(os.environ.get("CORTEX_ROOT", "") + "/mnt/words.txt")

while True:
    # Renamed when it is whole: the other container may read at any moment.
    new = PATH.with_suffix(".new")
    new.write_text("a an and are in is it of on or that the this to was with\n", encoding="utf-8")
    new.replace(PATH)
    time.sleep(10)
