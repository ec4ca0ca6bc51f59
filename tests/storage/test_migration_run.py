"""The revisions are one line, loaded once; that each runs up and down is tested beside what reads them."""

import pytest

from keisan.domain.errors import InvariantBroken
from keisan.storage import migration_run
from keisan.storage.migration_run import list_revisions, load_history


def test_history_is_a_line() -> None:
    revisions = list_revisions()
    assert revisions[0].down_revision is None
    assert [revision.down_revision for revision in revisions[1:]] == [each.revision for each in revisions[:-1]]
    assert load_history() is load_history()


def test_two_heads_are_an_invariant(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forked:
        def get_heads(self) -> list[str]:
            return ["a", "b"]

    monkeypatch.setattr(migration_run, "load_history", Forked)
    with pytest.raises(InvariantBroken):
        list_revisions()
