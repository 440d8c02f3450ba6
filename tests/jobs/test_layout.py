import pytest
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.jobs.layout import JobKeys, JobKind, api_jobs_prefix, in_progress_prefix, is_job_api_name, is_job_id

JOB = "67e3b0f1a2c4d5e6"


def keys(kind: JobKind = "BatchAPI", version: str = "0.42.1", api_name: str = "sum", job_id: str = JOB) -> JobKeys:
    return JobKeys(cluster_uid="c0ffee", kind=kind, version=version, api_name=api_name, job_id=job_id)


def test_the_keys_are_those_of_cortex() -> None:
    of_job = keys()
    assert of_job.prefix == f"c0ffee/jobs/BatchAPI/0.42.1/sum/{JOB}/"
    assert of_job.spec == f"{of_job.prefix}spec.json"
    assert of_job.payload == f"{of_job.prefix}payload.json"
    assert of_job.max_batch_count == f"{of_job.prefix}max_batch_count"
    assert of_job.metrics == f"{of_job.prefix}metrics.json"
    assert of_job.marker("worker_oom") == f"{of_job.prefix}worker_oom"
    assert of_job.in_progress == f"c0ffee/jobs/BatchAPI/in_progress/sum/{JOB}"
    assert keys("TaskAPI").in_progress == f"c0ffee/jobs/TaskAPI/in_progress/sum/{JOB}"


def test_our_own_objects_stand_beside_them() -> None:
    of_job = keys()
    own = [of_job.checkpoint, of_job.end, of_job.progress, of_job.stop, of_job.pause]
    assert own == [
        f"{of_job.prefix}{name}" for name in ("checkpoint.json", "end.json", "progress.json", "stop", "pause")
    ]


def test_the_prefixes_of_an_api_hold_the_keys_of_its_jobs_and_no_others() -> None:
    assert keys().prefix.startswith(api_jobs_prefix("c0ffee", "BatchAPI", "0.42.1", "sum"))
    assert not keys(api_name="sum-2").prefix.startswith(api_jobs_prefix("c0ffee", "BatchAPI", "0.42.1", "sum"))
    assert keys().in_progress == in_progress_prefix("c0ffee", "BatchAPI", "sum") + JOB
    assert keys().in_progress.startswith(in_progress_prefix("c0ffee", "BatchAPI"))


@pytest.mark.parametrize("name", ["", "Sum", "1sum", "sum-", "-sum", "a_b", "a.b", "a/b", "..", "sum\n", "a" * 43, "é"])
def test_a_name_that_is_no_api_name_becomes_no_key(name: str) -> None:
    assert not is_job_api_name(name)
    with pytest.raises(ValueError, match="not"):
        keys(api_name=name)
    with pytest.raises(ValueError, match="not"):
        in_progress_prefix("c0ffee", "BatchAPI", name)


@pytest.mark.parametrize("job_id", ["", "..", "a/b", "../x", "A", "a\n", "-a", "a-", "a" * 64, "é", "a b"])
def test_a_text_that_is_no_job_id_becomes_no_key(job_id: str) -> None:
    assert not is_job_id(job_id)
    with pytest.raises(ValueError, match="not"):
        keys(job_id=job_id)


@pytest.mark.parametrize("version", ["", "../x", "a/b", "0.42.1\n"])
def test_a_version_that_would_leave_its_place_becomes_no_key(version: str) -> None:
    with pytest.raises(ValueError, match="not"):
        keys(version=version)


@given(st.text())
def test_any_other_text_is_refused_or_stays_one_part_of_the_key(text: str) -> None:
    if is_job_id(text):
        assert keys(job_id=text).prefix.count("/") == keys().prefix.count("/")
    if is_job_api_name(text):
        assert keys(api_name=text).prefix.count("/") == keys().prefix.count("/")


def test_longest_names() -> None:
    assert is_job_api_name("a" * 42)
    assert is_job_id("a" * 63)
