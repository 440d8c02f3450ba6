from dequeuer.http.field_values import MAX_REMEMBERED, MAX_REMEMBERED_BYTES, connection_options, remembered


def test_a_short_value_is_read_once_and_a_long_one_is_not_kept() -> None:
    read: list[bytes] = []

    @remembered
    def size(value: bytes) -> int:
        read.append(value)
        return len(value)

    short, long = b"x" * MAX_REMEMBERED_BYTES, b"x" * (MAX_REMEMBERED_BYTES + 1)
    assert [size(short), size(short), size(long), size(long)] == [len(short), len(short), len(long), len(long)]
    assert read == [short, long, long]


def test_the_number_of_remembered_values_is_bounded() -> None:
    read: list[bytes] = []
    keep = remembered(read.append)
    for number in range(MAX_REMEMBERED + 1):
        keep(b"%d" % number)
    keep(b"0")
    assert len(read) == MAX_REMEMBERED + 2


def test_options_are_read_from_all_fields_in_lower_case() -> None:
    assert connection_options([b"Keep-Alive", b" close ,, X-Other\t"]) == {b"keep-alive", b"close", b"x-other"}
    assert connection_options([b"close"]) == {b"close"}
    assert connection_options([b""]) == frozenset()
