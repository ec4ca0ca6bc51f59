"""Registers: one order for all marks, and digests that differ when anything does."""

from dataclasses import replace

from keisan.domain.ids import PlatformId
from keisan.domain.register import (
    BUCKETS,
    RegisterKey,
    RegisterLine,
    RegisterMark,
    digest_buckets,
    find_bucket,
    mark_register,
)
from tests.letters import write_register

KEY = RegisterKey(PlatformId("a"), "offer", "x")
LINE = RegisterLine(KEY, RegisterMark(3, b"d"))


def test_the_higher_version_wins_and_then_the_higher_digest() -> None:
    assert RegisterMark(3, b"a").is_newer_than(None)
    assert RegisterMark(4, b"a").is_newer_than(RegisterMark(3, b"b"))
    assert RegisterMark(3, b"b").is_newer_than(RegisterMark(3, b"a"))
    assert not RegisterMark(3, b"a").is_newer_than(RegisterMark(3, b"a"))


def test_what_was_signed_tells_two_of_one_version_apart() -> None:
    one, two = write_register(body=b"one"), write_register(body=b"two")
    assert mark_register(one) == mark_register(replace(one, signature=b"")) != mark_register(two)
    assert mark_register(write_register(version=2)).is_newer_than(max(mark_register(one), mark_register(two)))


def test_only_the_bucket_of_what_differs_differs() -> None:
    others = [RegisterLine(RegisterKey(PlatformId("b"), "offer", str(each)), LINE.mark) for each in range(40)]
    before = digest_buckets([LINE, *others])
    assert len(before) == BUCKETS
    assert before == digest_buckets([*reversed(others), LINE])
    for changed in (RegisterMark(4, b"d"), RegisterMark(3, b"e")):
        after = digest_buckets([RegisterLine(KEY, changed), *others])
        assert [place for place in range(BUCKETS) if before[place] != after[place]] == [find_bucket(KEY)]


def test_parts_of_a_key_do_not_run_together() -> None:
    one = RegisterLine(RegisterKey(PlatformId("a"), "bc", "d"), LINE.mark)
    other = RegisterLine(RegisterKey(PlatformId("ab"), "c", "d"), LINE.mark)
    assert digest_buckets([one]) != digest_buckets([other])
