from __future__ import annotations

import re
import uuid

from dequeuer.formats.request_id import LAST_MS, MADE_ID, first_id_of, is_request_id, make_request_id

NOW = 1_795_770_000.123


def test_an_id_is_a_uuid_of_version_8_with_its_time_counted_down() -> None:
    made = make_request_id(NOW)
    parsed = uuid.UUID(made)
    assert (parsed.version, parsed.variant, str(parsed)) == (8, uuid.RFC_4122, made)
    assert LAST_MS - (parsed.int >> 80) == 1_795_770_000_123
    found = MADE_ID.match(made)
    assert found is not None
    assert LAST_MS - int(found[1] + found[2], 16) == 1_795_770_000_123
    assert is_request_id(made)
    assert made.startswith(first_id_of(NOW))


def test_later_ids_come_first_and_those_of_one_moment_differ() -> None:
    times = [0.0, 1.0, NOW - 1, NOW, NOW + 0.01, NOW + 86_400 * 365 * 50]
    ids = [make_request_id(at) for at in times]
    assert sorted(ids) == ids[::-1]
    assert len({make_request_id(NOW) for _ in range(1000)}) == 1000


def test_every_random_bit_is_used() -> None:
    made = [uuid.UUID(make_request_id(NOW)).int for _ in range(200)]
    always, ever = made[0], made[0]
    for one in made:
        always, ever = always & one, ever | one
    assert (always ^ ever).bit_count() == 74


def test_other_ids_are_not_taken_for_made_ones() -> None:
    for other in (str(uuid.uuid4()), "id1", make_request_id(NOW).upper(), f"{make_request_id(NOW)}a", ""):
        assert MADE_ID.match(other) is None or re.search("[A-F]", other) is None, other
