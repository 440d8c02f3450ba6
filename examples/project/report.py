"""The task API: it runs once, and asks the realtime API and the async API."""

import json
import os
import time
from pathlib import Path

from cluster import apis_url, call, url_of

job = json.loads(Path(os.environ.get("CORTEX_ROOT", "") + "/cortex/spec/job.json").read_text(encoding="utf-8"))
front = url_of("api-front", port=8888)
print(front, "has", call(front)["apis"], flush=True)
request = call(f"{apis_url()}/summaries", job["config"]["text"])["id"]
while (found := call(f"{apis_url()}/summaries/{request}"))["status"] not in {"completed", "failed"}:
    time.sleep(0.5)
print("the summary:", found.get("result"), flush=True)
