"""Letters as rows: what settles one is found by a digest of author, audience and period, each for itself."""

from itertools import combinations

from sqlalchemy import Table, UniqueConstraint

from keisan.domain.ids import PlatformId
from keisan.storage.incoming_log import incoming_letter
from keisan.storage.link_letter import DIGEST_BYTES, digest_period, pack_author
from keisan.storage.outgoing_log import outgoing_letter
from tests.letters import NORTH, SOUTH


def test_author_audience_and_period_each_make_another_digest() -> None:
    places = [(NORTH, SOUTH, "2026-11"), (SOUTH, NORTH, "2026-11"), (NORTH, None, "2026-11"), (NORTH, SOUTH, "2026-1")]
    places += [(PlatformId("a"), PlatformId("bc"), "d"), (PlatformId("ab"), PlatformId("c"), "d")]
    digests = [digest_period(*place) for place in places]
    assert all(one != other for one, other in combinations(digests, 2))
    assert {len(each or b"") for each in digests} == {DIGEST_BYTES}
    assert digest_period(NORTH, SOUTH, "2026-11") == digests[0]


def test_what_has_no_period_has_no_digest() -> None:
    assert digest_period(NORTH, SOUTH, "") is None


def test_an_author_is_half_as_long_as_bytes() -> None:
    assert pack_author(NORTH).hex() == NORTH


def test_no_key_but_that_of_places_begins_with_a_log() -> None:
    # PostgreSQL would take it for the way to a place, and read the whole log for each letter.
    for table in (outgoing_letter, incoming_letter):
        assert list_keys(table) == [["letter_id", "author", "link_id", "link_log"]]
        assert [column.name for column in table.primary_key] == ["link_id", "link_log", "place"]
        assert not table.indexes


def list_keys(table: Table) -> list[list[str]]:
    """Return the columns of each unique key."""
    keys = (each for each in table.constraints if isinstance(each, UniqueConstraint))
    return [[column.name for column in each.columns] for each in keys]
