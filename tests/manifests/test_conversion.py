from dequeuer.manifests.cluster import ClusterFacts
from tests.manifests.converting import CLUSTER, QUEUES, Converted, api_text


def test_the_place_of_the_cluster_is_in_the_values() -> None:
    values = Converted(api_text("AsyncAPI")).values
    assert (values["clusterUid"], values["bucket"], values["region"]) == ("uid-1", "my-bucket", "eu-west-1")
    assert values["gateway"] == {"enabled": True}


def test_what_is_not_known_of_the_cluster_is_left_out_and_noted() -> None:
    converted = Converted(api_text("AsyncAPI"), ClusterFacts(region="eu-west-1"))
    assert "bucket" not in converted.values
    assert [note.partition(":")[0] for note in converted.notes] == ["clusterUid", "bucket"]


def test_the_queue_of_an_async_api_is_given() -> None:
    assert Converted(api_text("AsyncAPI")).api()["queueUrl"] == QUEUES["sum"]


def test_without_its_queue_an_async_api_has_a_note_and_no_invented_url() -> None:
    converted = Converted(api_text("AsyncAPI"), queues={})
    assert "queueUrl" not in converted.api()
    (note,) = converted.notes
    assert note == "cortex.yaml:1:3: apis[0] (API sum): queueUrl: is needed; give --queues sum=URL, or set it"


def test_a_queue_of_no_async_api_is_noted() -> None:
    converted = Converted(api_text("BatchAPI"), queues={"sum": "https://sqs.example.com/1/a"})
    assert converted.notes == ["--queues: sum is no AsyncAPI of the file; its queue is not used"]
    assert "queueUrl" not in converted.api()


def test_the_privileges_that_cortex_gave_are_noted() -> None:
    converted = Converted(api_text("AsyncAPI"), CLUSTER)
    assert converted.values["defaults"]["podSecurityContext"] == {"runAsNonRoot": False}


def test_hostile_values_come_out_as_they_went_in() -> None:
    hostile = "'\"{{ .Values.x }}\\n$(rm -rf /) #: - '"
    container = f", env: {{A: {hostile}}}, args: [{hostile}]"
    found = Converted(api_text("AsyncAPI", container=container)).container()
    text = hostile[1:-1]
    assert found["env"] == [{"name": "A", "value": text}]
    assert found["args"] == [text]
