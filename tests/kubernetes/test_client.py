from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dequeuer.kubernetes import client
from dequeuer.kubernetes.base import KubernetesDeniedError, KubernetesUnavailableError, KubernetesVersion
from dequeuer.kubernetes.client import KubernetesClient
from dequeuer.kubernetes.in_cluster import InCluster
from tests.certificates import self_signed
from tests.kubernetes.api_server import NAMESPACE, PATH, POD, TOKEN, ApiServer, write_service_account


async def test_the_version_is_two_numbers_also_with_the_sign_of_a_provider(server: ApiServer) -> None:
    version = await KubernetesClient(server.cluster).read_version()
    assert version == KubernetesVersion(major=1, minor=29)
    assert version < KubernetesVersion(major=1, minor=30)


async def test_the_pod_is_read(server: ApiServer) -> None:
    assert await KubernetesClient(server.cluster).read_pod() == server.pod
    assert server.calls == [f"GET {PATH}"]


async def test_a_patch_leaves_the_rest_of_the_pod_and_asks_for_its_metadata_only(server: ApiServer) -> None:
    await KubernetesClient(server.cluster).patch_pod({"metadata": {"annotations": {"c": "d"}}})
    assert server.annotations == {"a": "b", "c": "d"}
    assert server.calls == [f"PATCH {PATH}"]
    assert server.fields["accept"].startswith("application/json;as=PartialObjectMetadata;")


async def test_a_token_that_the_kubelet_replaces_is_used_from_the_next_call_on(server: ApiServer) -> None:
    api = KubernetesClient(server.cluster)
    await api.read_version()
    server.token = "token-2"
    with pytest.raises(KubernetesDeniedError) as refused:
        await api.read_version()
    assert refused.value.status == 401
    (server.files / "token").write_text("token-2\n", encoding="ascii")
    await api.read_version()


async def test_a_server_with_another_certificate_gets_no_token(server: ApiServer, tmp_path: Path) -> None:
    write_service_account(server.files, self_signed(tmp_path / "other.pem"))
    with pytest.raises(KubernetesUnavailableError, match="cannot be reached"):
        await KubernetesClient(server.cluster).read_version()
    assert not server.calls


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (401, "does not accept the token"),
        (403, "needs the verb patch on pods"),
        (404, "set DEQUEUER_POD_NAME"),
        (422, r"refuses it \(422\)"),
    ],
)
async def test_a_refusal_says_what_to_change(server: ApiServer, status: int, text: str) -> None:
    server.status = status
    with pytest.raises(KubernetesDeniedError, match=text) as refused:
        await KubernetesClient(server.cluster).patch_pod({})
    assert refused.value.status == status
    assert f"changing the pod {POD} in the namespace {NAMESPACE}" in str(refused.value)
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize("status", [302, 409, 429, 500, 503])
async def test_what_may_be_over_soon_is_tried_again(server: ApiServer, status: int) -> None:
    server.status = status
    with pytest.raises(KubernetesUnavailableError, match=f"responds with {status}"):
        await KubernetesClient(server.cluster).patch_pod({})


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"major": "one"}', b"\xff"])
async def test_a_response_that_is_no_version_is_an_error_of_the_server(server: ApiServer, body: bytes) -> None:
    server.body = body
    with pytest.raises(KubernetesUnavailableError, match="reading the version of Kubernetes: a response"):
        await KubernetesClient(server.cluster).read_version()


async def test_a_server_that_does_not_respond_is_given_up(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TIMEOUT_S", 0.05)
    server.is_silent = True
    with pytest.raises(KubernetesUnavailableError, match=r"no response within 0.05 s|sent nothing"):
        await KubernetesClient(server.cluster).read_version()


async def test_nobody_listens(server: ApiServer, unused_tcp_port: int) -> None:
    cluster = server.cluster
    there = InCluster(
        host="127.0.0.1", port=unused_tcp_port, files=cluster.files, namespace=cluster.namespace, pod=cluster.pod
    )
    with pytest.raises(KubernetesUnavailableError, match="cannot be reached"):
        await KubernetesClient(there).read_version()


@pytest.mark.parametrize("content", [None, b"", b"two\nlines", b"\xff"])
async def test_a_token_that_cannot_be_used_is_not_sent_and_not_quoted(server: ApiServer, content: bytes | None) -> None:
    api = KubernetesClient(server.cluster)
    file = server.files / "token"
    await asyncio.to_thread(file.unlink)
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(KubernetesUnavailableError, match=r"token (cannot be read|holds no token)") as refused:
        await api.read_version()
    assert "lines" not in str(refused.value)
    assert not server.calls


async def test_a_missing_certificate_is_named(server: ApiServer) -> None:
    api = KubernetesClient(server.cluster)
    (server.files / "ca.crt").write_text("no certificate", encoding="ascii")
    with pytest.raises(KubernetesUnavailableError, match=r"ca\.crt cannot be read"):
        await api.read_version()
