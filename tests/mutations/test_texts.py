from __future__ import annotations

import pytest

from tests.mutations.test_mutations import MUTATIONS, ROOT, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_each_piece_is_where_its_mutation_says(mutation: Mutation) -> None:
    text = (ROOT / "dequeuer" / mutation.module).read_text(encoding="utf-8")
    assert text.count(mutation.old) == 1, f"{mutation.module} has changed: update the mutation"
    assert all((ROOT / test.partition("::")[0]).exists() for test in mutation.tests)
