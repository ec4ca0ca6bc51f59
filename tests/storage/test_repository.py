"""Pages and chunks, on values."""

import pytest

from keisan.domain.page import PageOf, PageRequest
from keisan.kit.ids import create_id
from keisan.storage.repository import cut_page, split_chunks

IDS = sorted(create_id() for _ in range(5))


@pytest.mark.parametrize(("count", "most", "expected"), [(0, 2, []), (2, 2, [2]), (5, 2, [2, 2, 1]), (1, 9, [1])])
def test_chunks_hold_everything_in_order(count: int, most: int, expected: list[int]) -> None:
    chunks = list(split_chunks(range(count), most))
    assert [len(chunk) for chunk in chunks] == expected
    assert [item for chunk in chunks for item in chunk] == list(range(count))


@pytest.mark.parametrize(
    ("found", "limit", "expected"),
    [
        (IDS[:0], 2, PageOf((), None)),
        (IDS[:2], 2, PageOf(tuple(IDS[:2]), None)),
        (IDS[:3], 2, PageOf(tuple(IDS[:2]), IDS[1])),
    ],
)
def test_page_says_where_the_next_begins(found: list[object], limit: int, expected: PageOf[object]) -> None:
    assert cut_page(found, PageRequest(limit=limit), lambda each: each) == expected  # type: ignore[arg-type,return-value]  # ids stand for nouns
