"""The manifests in the documents are valid."""

import re
import shlex
from typing import Any

import pytest
import yaml

from dequeuer.settings.provision_loading import load_provision
from tests.deploy.chart.rendering import ROOT, Rendered, async_api, chart, render, values_of
from tests.deploy.chart.test_schemas import faults_of
from tests.manifests.converting import Converted


def manifests(page: str) -> list[dict[str, Any]]:
    """Return the Kubernetes objects in the code blocks of a page."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    found = [document for block in blocks for document in yaml.safe_load_all(block)]
    return [document for document in found if isinstance(document, dict) and "apiVersion" in document]


def test_keda_takes_the_scaled_object_of_the_page_about_scaling() -> None:
    (route, scaled) = manifests("scaling.md")
    assert (route["kind"], scaled["kind"]) == ("InterceptorRoute", "ScaledObject")
    assert faults_of([scaled]) == []
    assert scaled["spec"]["triggers"][0]["metadata"]["interceptorRoute"] == route["metadata"]["name"]


EXAMPLE = values_of("../values.yaml")["image"]["repository"]
INSTALL = (
    (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8").partition("## Install\n")[2].partition("\n## ")[0]
)


def installed() -> Rendered:
    """Return what the page about Kubernetes installs, with the names of its command."""
    (values,) = re.findall(r"^```yaml\n(.*?)^```$", INSTALL, re.MULTILINE | re.DOTALL)
    (command,) = re.findall(r"^helm install (.*)$", INSTALL, re.MULTILINE)
    release, _, _, namespace, *_ = shlex.split(command)
    return Rendered(chart().render(yaml.safe_load(values), name=release, namespace=namespace))


def test_the_values_for_the_page_about_the_gateway_name_the_secrets_of_its_commands() -> None:
    section = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8").partition("## The page\n")[2]
    text = section.partition("\n## ")[0]
    made = re.findall(
        r"^kubectl create secret generic (\S+) --namespace apis --from-literal=(\S+)=", text, re.MULTILINE
    )
    (values,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    gateway = {"enabled": True, "tokens": {"secretName": "gateway-tokens"}}
    release = render({"clusterUid": "a", "bucket": "b", "gateway": gateway, **yaml.safe_load(values)})
    pod = release.pod("demo-ui")
    assert [volume["secret"]["secretName"] for volume in pod["volumes"]] == [name for name, _ in made]
    paths = [one["value"] for one in pod["containers"][0]["env"] if one["value"].startswith("/etc/dequeuer/")]
    assert sorted({path.rpartition("/")[2] for path in paths}) == sorted({key for _, key in made})


def test_whoever_follows_the_page_gives_a_role_to_each_program_that_calls_aws() -> None:
    accounts = installed().of_kind("ServiceAccount")
    rows = re.findall(r"^\| `(\S+)` \| `dequeuer provision policies (\w+) ", INSTALL, re.MULTILINE)
    assert rows == [("api-text-generator", "async"), ("dequeuer-gateway", "gateway")]
    assert set(accounts) == {name for name, _ in rows}
    roles = {account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] for account in accounts.values()}
    assert len(roles) == len(accounts)


def test_the_values_of_the_page_name_the_image_the_queue_and_the_bucket_of_its_commands() -> None:
    given = dict(re.findall(r"(\w+)=(\S+)", "".join(re.findall(r"^export .*\n", INSTALL, re.MULTILINE))))
    (command,) = re.findall(r"^dequeuer provision (--queue .*)$", INSTALL, re.MULTILINE)
    provisioned = load_provision(shlex.split(command), given)
    pod = installed().pod("api-text-generator")["containers"][0]
    variables = {variable["name"]: variable.get("value") for variable in pod["env"]}
    assert variables["DEQUEUER_QUEUE_URL"].rpartition("/")[2] == provisioned.queue
    for name in ("AWS_REGION", "DEQUEUER_BUCKET", "DEQUEUER_CLUSTER_UID"):
        assert variables[name] == given[name]
    assert f"docker push {pod['image']}\n" in INSTALL


def test_the_commands_of_the_page_name_objects_that_there_are() -> None:
    named = re.findall(r"\b(deploy|service)/([\w-]+-[\w-]+)", INSTALL)
    assert {kind for kind, _ in named} == {"deploy", "service"}
    for kind, name in named:
        assert name in installed().of_kind({"deploy": "Deployment", "service": "Service"}[kind])


def test_the_additions_of_the_page_about_cortex_complete_what_was_converted() -> None:
    page = (ROOT / "docs" / "migration.md").read_text(encoding="utf-8")
    (additions,) = [
        yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    ]
    (name,) = additions["apis"]
    converted = Converted(
        f"- {{name: {name}, kind: AsyncAPI, pod: {{containers: [{{name: api, image: 'a:1'}}]}}}}",
        queues={name: "https://sqs.eu-west-1.amazonaws.com/111122223333/queue"},
    ).values
    # As Helm merges several files of values.
    both = {
        **converted,
        **additions,
        "gateway": {**converted["gateway"], **additions["gateway"]},
        "apis": {name: {**converted["apis"][name], **additions["apis"][name]}},
    }
    found = render(both)
    assert EXAMPLE not in found.notes
    for account in found.of_kind("ServiceAccount").values():
        assert "eks.amazonaws.com/role-arn" in account["metadata"]["annotations"], account["metadata"]["name"]


@pytest.mark.parametrize(("repository", "is_told"), [(None, True), ("registry.example.com/team/dequeuer", False)])
def test_an_installation_without_an_image_of_ones_own_is_told_that_its_pods_cannot_start(
    repository: str | None, is_told: bool
) -> None:
    image = {} if repository is None else {"image": {"repository": repository}}
    assert (
        f"image.repository is {EXAMPLE}"
        in render({**image, "clusterUid": "uid", "bucket": "my-bucket", "apis": {"sum": async_api()}}).notes
    ) is is_told
