"""UUIDv7: the right version, never twice, in order of their making."""

from uuid import RFC_4122, UUID

from keisan.kit.ids import create_id


def test_ids_are_plain_uuids_of_version_7() -> None:
    made = create_id()
    # Storage and pydantic compare with the standard library's class.
    assert type(made) is UUID
    assert (made.version, made.variant) == (7, RFC_4122)


def test_ids_are_distinct_and_rise_from_one_millisecond_to_the_next() -> None:
    made = [create_id() for _ in range(2000)]
    assert len(set(made)) == len(made)
    milliseconds = [one.int >> 80 for one in made]
    assert milliseconds == sorted(milliseconds)
