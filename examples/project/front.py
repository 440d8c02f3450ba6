"""The realtime API: it submits work to the other APIs, and says how far it is."""

from cluster import apis_url, call, operator_url, serve

OUTPUT = "s3://dequeuer-dev/counts"


def answer(method: str, path: str, body: object) -> object:
    """Return the id of what was submitted, or its status."""
    kind, _, work = path.strip("/").partition("/")
    if path in {"/", "/healthz"}:
        return {"apis": ["summaries", "counts", "report"]}
    if method == "POST":
        return SUBMIT[kind](body)
    return STATUS[kind](work)


def submit_summary(text: object) -> object:
    """Submit a request of the async API: a text."""
    return call(f"{apis_url()}/summaries", text)


def submit_counts(texts: object) -> object:
    """Submit a batch job: a list of texts."""
    items = {"items": texts, "batch_size": 2}
    job = call(f"{operator_url()}/batch/counts", {"workers": 2, "item_list": items, "output": {"s3_path": OUTPUT}})
    return {"id": job["job_id"]}


def submit_report(config: object) -> object:
    """Submit a job of the task API."""
    return {"id": call(f"{operator_url()}/tasks/report", {"config": config})["job_id"]}


def job_status(folder: str, job: str) -> object:
    """Return the status of a job."""
    return {"status": call(f"{operator_url()}/{folder}?jobID={job}")["job_status"]["status"]}


SUBMIT = {"summaries": submit_summary, "counts": submit_counts, "report": submit_report}
STATUS = {
    "summaries": lambda work: call(f"{apis_url()}/summaries/{work}"),
    "counts": lambda work: job_status("batch/counts", work),
    "report": lambda work: job_status("tasks/report", work),
}

serve(answer)
