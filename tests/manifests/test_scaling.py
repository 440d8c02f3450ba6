import pytest

from tests.manifests.converting import Converted, api_text


def scaling(kind: str, autoscaling: str) -> Converted:
    return Converted(api_text(kind, more=f", autoscaling: {{{autoscaling}}}"))


def test_what_the_file_does_not_say_is_left_to_the_defaults_of_the_chart() -> None:
    converted = Converted(api_text("AsyncAPI"))
    assert converted.api()["autoscaling"] == {"type": "keda", "minReplicas": 1, "maxReplicas": 100}
    assert "updateStrategy" not in converted.api()
    assert converted.notes == []


def test_an_async_api_goes_to_zero_and_a_realtime_api_does_not() -> None:
    assert scaling("AsyncAPI", "min_replicas: 0").api()["autoscaling"]["minReplicas"] == 0
    converted = scaling("RealtimeAPI", "min_replicas: 0")
    assert converted.api()["autoscaling"]["minReplicas"] == 1
    (note,) = converted.notes
    assert "autoscaling.min_replicas (API sum): is 0" in note
    assert "http-add-on" in note


def test_a_batch_api_has_no_autoscaling() -> None:
    assert "autoscaling" not in Converted(api_text("BatchAPI")).api()


@pytest.mark.parametrize(("given", "written"), [("2.5", 2), ("0.4", 1), ("4", 4)])
def test_the_target_of_a_queue_is_a_whole_number(given: str, written: int) -> None:
    converted = scaling("AsyncAPI", f"target_in_flight: {given}")
    assert converted.api()["autoscaling"]["targetInFlight"] == written
    assert len(converted.notes) == (given != "4")


def test_the_target_of_a_realtime_api_may_have_a_fraction() -> None:
    converted = scaling("RealtimeAPI", "target_in_flight: 2.5")
    assert converted.api()["autoscaling"]["targetInFlight"] == 2.5
    assert converted.notes == []


@pytest.mark.parametrize(
    ("given", "name", "written"),
    [
        ("downscale_stabilization_period: 2h", "downscaleStabilization", 3600),
        ("upscale_stabilization_period: 90m", "upscaleStabilization", 3600),
        ("upscale_stabilization_period: 1.5s", "upscaleStabilization", 2),
        ("max_upscale_factor: 2000", "maxUpscaleFactor", 1000),
        ("max_replicas: 200000", "maxReplicas", 100_000),
        ("window: 2h", "window", 3600),
    ],
)
def test_what_the_chart_does_not_allow_is_set_to_its_limit_with_a_note(given: str, name: str, written: float) -> None:
    converted = scaling("RealtimeAPI", given)
    assert converted.api()["autoscaling"][name] == written
    (note,) = converted.notes
    assert f"autoscaling.{given.partition(':')[0]} (API sum): is " in note


def test_init_replicas_that_are_the_fewest_need_no_note() -> None:
    assert scaling("AsyncAPI", "min_replicas: 2, init_replicas: 2").notes == []
