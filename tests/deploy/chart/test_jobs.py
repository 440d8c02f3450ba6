"""The Jobs of a BatchAPI, which another program makes from manifests with placeholders."""

from typing import Any

import pytest

from tests.deploy.chart.rendering import JOB, NAMESPACE, batch_api, filled, render, rendered, values_with

JOB_ID = JOB["__JOB_ID__"]
LONGEST_NAME = "a" * 42


def manifest(file: str, **values: Any) -> dict[str, Any]:
    found: dict[str, Any] = filled(rendered("full.yaml").job("image-classifier", file), {**JOB, **values})
    return found


def test_the_worker_has_as_many_pods_as_the_job_asks_for_and_ends_with_its_queue() -> None:
    spec = manifest("worker.yaml")["spec"]
    assert spec["parallelism"] == 3
    assert "completions" not in spec, "each worker would be replaced until so many had succeeded"
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert [container["name"] for container in spec["template"]["spec"]["containers"]] == ["dequeuer"]


def test_a_job_has_a_deadline_only_when_it_asks_for_one() -> None:
    assert "activeDeadlineSeconds" not in manifest("worker.yaml")["spec"]
    assert manifest("worker.yaml", __TIMEOUT__=600)["spec"]["activeDeadlineSeconds"] == 600


def test_results_go_somewhere_only_when_the_job_says_where() -> None:
    def output(**values: Any) -> list[str]:
        [container] = manifest("worker.yaml", **values)["spec"]["template"]["spec"]["containers"]
        return [variable["value"] for variable in container["env"] if variable["name"] == "DEQUEUER_OUTPUT"]

    assert output() == []
    assert output(__OUTPUT__="s3://results/a") == ["s3://results/a"]


@pytest.mark.parametrize(("file", "final"), [("worker.yaml", [2]), ("enqueuer.yaml", [1, 2])])
def test_a_job_gives_up_at_once_only_on_what_another_pod_would_not_mend(file: str, final: list[int]) -> None:
    # docs/jobs.md: an enqueuer that ends with 1 is not started again, one that was stopped is.
    spec = manifest(file)["spec"]
    rules = spec["podFailurePolicy"]["rules"]
    assert [(rule["action"], rule.get("onExitCodes", {}).get("values")) for rule in rules] == [
        ("Ignore", None),
        ("FailJob", final),
        ("Count", [0, *final]),
    ]
    [main] = spec["template"]["spec"]["containers"]
    assert {rule["onExitCodes"]["containerName"] for rule in rules if "onExitCodes" in rule} == {main["name"]}
    assert spec["template"]["spec"]["restartPolicy"] == "Never", "the policy needs it"


def test_a_worker_that_is_stopped_has_failed_and_each_one_has_an_id_of_its_own() -> None:
    [container] = manifest("worker.yaml")["spec"]["template"]["spec"]["containers"]
    variables = {variable.pop("name"): variable for variable in container["env"]}
    assert variables["DEQUEUER_FAIL_WHEN_STOPPED"] == {"value": "true"}
    assert variables["DEQUEUER_WORKER_ID"] == {"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}


def test_the_pods_of_a_job_find_its_files() -> None:
    files = manifest("config.yaml")
    assert files["data"]["job.json"] == JOB["__JOB_JSON__"]
    volumes = manifest("worker.yaml")["spec"]["template"]["spec"]["volumes"]
    assert {"name": "spec", "configMap": {"name": files["metadata"]["name"]}} in volumes


@pytest.mark.parametrize("file", ["config.yaml", "worker.yaml", "enqueuer.yaml"])
def test_all_objects_of_a_job_carry_its_id_and_stay_in_the_namespace(file: str) -> None:
    metadata = manifest(file)["metadata"]
    assert metadata["namespace"] == NAMESPACE
    assert metadata["labels"]["jobID"] == JOB_ID
    assert metadata["labels"]["cortex.dev/batch"] == file.removesuffix(".yaml")


def test_the_longest_name_of_an_api_makes_names_that_kubernetes_takes() -> None:
    release = render(values_with({LONGEST_NAME: batch_api()}))
    for file in ("config.yaml", "worker.yaml", "enqueuer.yaml"):
        found = filled(release.job(LONGEST_NAME, file), JOB)
        # Kubernetes makes a label of the name of a Job.
        assert len(found["metadata"]["name"]) <= 63, file
