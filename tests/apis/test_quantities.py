from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from dequeuer.apis.quantities import Cpu, Mem, Shm

CPU: TypeAdapter[int | None] = TypeAdapter(Cpu)
MEM: TypeAdapter[int | None] = TypeAdapter(Mem)
SHM: TypeAdapter[int | None] = TypeAdapter(Shm)


@pytest.mark.parametrize(
    ("given_", "millis"),
    [("200m", 200), (1, 1000), ("1", 1000), (0.5, 500), ("0.1", 100), (".02", 20), ("20m", 20), ("20.1m", 21), ("19999999n", 20), ("19999.1u", 20), ("1k", 10**6), ("1e1", 10_000), ("1E-1", 100), (1e3, 10**6), ("+1", 1000), ("2.", 2000), (None, None), ("1Ki", 1_024_000)],
)  # fmt: skip
def test_cpu(given_: object, millis: int | None) -> None:
    assert CPU.validate_python(given_) == millis


@pytest.mark.parametrize(
    ("given_", "size"),
    [("20Mi", 20 * 2**20), ("2.5Gi", 5 * 2**29), ("512M", 512 * 10**6), ("128974848", 128974848), (128974848, 128974848), ("129e6", 129 * 10**6), ("128974848000m", 128974848), ("1Ti", 2**40), ("7Ei", 7 * 2**60), ("1G", 10**9), ("30000K", 3 * 10**7), ("30000k", 3 * 10**7), ("20971520.5", 20971521), (None, None)],
)  # fmt: skip
def test_mem(given_: object, size: int | None) -> None:
    assert MEM.validate_python(given_) == size


def test_shm_may_be_small() -> None:
    assert SHM.validate_python("64Ki") == 65536
    assert SHM.validate_python("0") == 0


@pytest.mark.parametrize("bad", ["", "m", "-1", "1 Gi", "1gi", "1Mib", "1mi", "1e", "1e+", "1e1000", "1.2.3", "0x10", "1e2Ki", "NaN", "9" * 31, "9223372036854775808", "8Ei", True, [], {}, float("nan"), float("inf"), "1\n", "\u0661"])  # fmt: skip
def test_what_is_no_quantity(bad: object) -> None:
    for adapter in (CPU, MEM, SHM):
        with pytest.raises(ValidationError):
            adapter.validate_python(bad)


def test_limits() -> None:
    for adapter, bad in [
        (CPU, "19m"),
        (CPU, 0.019),
        (CPU, "0"),
        (MEM, "19Mi"),
        (MEM, 20 * 2**20 - 1),
        (MEM, 1e9),
        (SHM, 1.5),
    ]:
        with pytest.raises(ValidationError):
            adapter.validate_python(bad)


@given(st.integers(20, 2**53))
def test_thousandths_are_exact(millis: int) -> None:
    assert CPU.validate_python(f"{millis}m") == millis
    assert CPU.validate_python(f"{millis // 1000}.{millis % 1000:03}") == millis


@given(st.text(alphabet="0123456789.eE+-numkKMGTPEi", max_size=12))
def test_any_text_is_a_quantity_or_refused(text: str) -> None:
    try:
        size = SHM.validate_python(text)
    except ValidationError:
        return
    assert size is not None
    assert 0 <= size < 2**63
