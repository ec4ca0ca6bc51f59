"""A commitment: each part can be shown to be under it, and no other part can."""

from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.merkle import compute_root, hash_leaf
from keisan.wire.challenge_proof import Commitment, is_opening

PARTS = st.lists(st.binary(max_size=8), min_size=1, max_size=20, unique=True)


@given(parts=PARTS, data=st.data())
def test_every_part_opens_and_no_other(parts: list[bytes], data: st.DataObject) -> None:
    commitment = Commitment(len(parts), parts.__getitem__)
    root = commitment.build_root()
    assert root == compute_root([hash_leaf(part) for part in parts]).hex()
    index = data.draw(st.integers(min_value=0, max_value=len(parts) - 1))
    leaf, path = commitment.open(index)
    assert leaf == parts[index]
    assert is_opening(root, len(parts), index, leaf, path)
    other = data.draw(st.binary(max_size=8).filter(lambda drawn: drawn != leaf))
    assert not is_opening(root, len(parts), index, other, path)
    for elsewhere in range(len(parts)):
        assert is_opening(root, len(parts), elsewhere, leaf, path) is (elsewhere == index)
    assert not is_opening(root, len(parts), index, leaf, (*path, "00" * 32))
    assert not is_opening(root, len(parts), index, leaf, (*path[:-1], "no hex"))


def test_parts_may_be_hashed_side_by_side() -> None:
    parts = [bytes([number]) * 9 for number in range(50)]
    with ThreadPoolExecutor(4) as threads:
        assert Commitment(50, parts.__getitem__, threads).build_root() == Commitment(50, parts.__getitem__).build_root()
