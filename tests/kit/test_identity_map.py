"""One value for each object, whatever it equals."""

from keisan.kit.identity_map import IdentityMap


def test_value_is_made_once_for_each_object() -> None:
    made: list[list[int]] = []

    def make(shared: list[int]) -> int:
        made.append(shared)
        return len(made)

    first, equal = [1], [1]
    known = IdentityMap(make)
    assert [known.get(each) for each in (first, equal, first, equal)] == [1, 2, 1, 2]
    assert known.values() == [1, 2]


def test_objects_that_nobody_else_holds_keep_their_place() -> None:
    known: IdentityMap[list[int], int] = IdentityMap(lambda shared: shared[0])
    assert [known.get([number]) for number in range(100)] == list(range(100))
