"""The running hash of a log: another letter, order or border between letters is another hash."""

from functools import reduce

from keisan.domain.link_log import FIRST_HASH, extend_hash


def hash_all(*letters: bytes) -> bytes:
    return reduce(extend_hash, letters, FIRST_HASH)


def test_the_hash_tells_letters_their_order_and_their_borders_apart() -> None:
    found = {hash_all(*each) for each in ((b"a", b"b"), (b"b", b"a"), (b"ab",), (b"a", b""), (b"a",), ())}
    assert len(found) == 6
