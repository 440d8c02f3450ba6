"""Values come out as they went in: nothing is a template, a number or an alias that was a text."""

from typing import Any, Final

import pytest
import yaml

from tests.deploy.chart.rendering import (
    JOB,
    RELEASE,
    Rendered,
    async_api,
    batch_api,
    chart,
    containers,
    filled,
    realtime_api,
    render,
    values_of,
    values_with,
)

TEXTS: Final = (
    "{{ .Values.bucket }}",
    '{{ fail "x" }}',
    "${NAME} $(CORTEX_PORT) %s",
    "a \"quoted\" 'text' with \\ and \\n",
    "1",
    "0755",
    "1e3",
    "0x1f",
    "1_000",
    "12:30",
    "2001-01-01",
    "yes",
    "No",
    "on",
    "null",
    "~",
    "",
    " leading and trailing ",
    "- a list",
    "a: b",
    "# no comment",
    "&anchor",
    "*alias",
    "!!tag",
    "%directive",
    "@at",
    "`tick`",
    "---",
    "line one\nline two\n\n  indented\n",
    "tab\tand\r\nreturn",
    "\u2028\u00a0\ufeff",
    "\U0001f600 \u00e9",
    "<b>&amp;</b>",
    "x" * 5000,
)
"""U+0085 is not among them: the YAML library of Helm and Kubernetes writes it as it is, and reads a line break."""


def variables(container: dict[str, Any]) -> list[str]:
    return [variable["value"] for variable in container["env"] if variable["name"].startswith("HOSTILE_")]


@pytest.mark.parametrize("form", ["native", "prestop"])
@pytest.mark.parametrize("kind", ["async", "realtime", "batch"])
def test_texts_of_containers_come_out_as_they_went_in(kind: str, form: str) -> None:
    make = {"async": async_api, "realtime": realtime_api, "batch": batch_api}[kind]
    env = [{"name": f"HOSTILE_{index}", "value": text} for index, text in enumerate(TEXTS)]
    container = {"name": "api", "image": "x", "command": ["run", *TEXTS], "args": list(TEXTS), "env": env}
    release = render(values_with({"sum": make(containers=[container], env=env, form=form)}))
    if kind == "batch":
        pod = filled(release.job("sum", "worker.yaml"), JOB)["spec"]["template"]["spec"]
    else:
        pod = release.pod("api-sum")
    found = containers(pod)
    assert found["api"]["command"] == ["run", *TEXTS]
    assert found["api"]["args"] == list(TEXTS)
    for own in found.values():
        assert variables(own) == list(TEXTS)


@pytest.mark.parametrize("text", TEXTS)
def test_texts_of_annotations_and_labels_come_out_as_they_went_in(text: str) -> None:
    annotations = {"example.com/text": text, text[:60] or "empty": "key"}
    api = async_api(podAnnotations=annotations, serviceAccount={"annotations": annotations})
    release = render(values_with({"sum": api}))
    template = release.get("Deployment", "api-sum")["spec"]["template"]
    assert annotations.items() <= template["metadata"]["annotations"].items()
    assert release.get("ServiceAccount", "api-sum")["metadata"]["annotations"] == annotations


def test_names_that_yaml_takes_for_something_else_stay_names() -> None:
    names = ["no", "yes", "on", "y", "null", "e1", "true"]
    release = render(values_with({name: async_api(endpoint=f"x/{name}") for name in names}, gateway={"enabled": True}))
    for name in names:
        deployment = release.get("Deployment", f"api-{name}")
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert (labels["apiName"], deployment["metadata"]["labels"]["apiName"]) == (name, name)
        [variable] = [
            found["value"]
            for found in release.pod(f"api-{name}")["containers"][0]["env"]
            if found["name"] == "DEQUEUER_API_NAME"
        ]
        assert variable == name
    file = yaml.safe_load(release.get("ConfigMap", "demo-gateway")["data"]["cortex.yaml"])
    assert [api["name"] for api in file] == sorted(names)


def test_numbers_of_a_job_that_look_like_floats_stay_texts() -> None:
    job = {**JOB, "__JOB_ID__": "671441712345e123"}
    release = render(values_with({"sum": batch_api()}))
    manifest = filled(release.job("sum", "worker.yaml"), job)
    assert manifest["metadata"]["labels"]["jobID"] == "671441712345e123"
    assert manifest["spec"]["parallelism"] == 3


@pytest.mark.parametrize("namespace", ["1234", "1e3", "null", "yes"])
def test_a_namespace_that_looks_like_something_else_is_a_text(namespace: str) -> None:
    release = Rendered(chart().render(values_of("full.yaml"), name=RELEASE, namespace=namespace))
    assert {found["metadata"]["namespace"] for found in release.objects} == {namespace, "istio-system", "default"}
    for name in ("config.yaml", "enqueuer.yaml", "worker.yaml"):
        assert release.job("image-classifier", name)["metadata"]["namespace"] == namespace
    for binding in release.of_kind("RoleBinding").values():
        assert [subject["namespace"] for subject in binding["subjects"]] == [namespace]
