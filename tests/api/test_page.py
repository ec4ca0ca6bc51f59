"""Pages: every item once, in order, whatever the limit; a cursor is ours or refused."""

import pytest

from keisan.api.page import build_page, read_page
from keisan.domain.errors import InvalidInput
from keisan.domain.page import PageOf, PageRequest
from keisan.kit.ids import create_id
from keisan.wire.page import ListQuery
from keisan.wire.replica import ReplicaLog
from tests.api.stage import Stage


def test_cursor_comes_back_as_it_went() -> None:
    last = create_id()
    log = ReplicaLog(replica_id=last, log_tail="")
    page = build_page(PageOf((log,), last), lambda line: line)
    assert page.items == (log,)
    assert read_page(ListQuery(limit=7, cursor=page.next_cursor)) == PageRequest(after=last, limit=7)


def test_last_page_has_no_cursor() -> None:
    assert build_page(PageOf((), None), ReplicaLog.model_validate).next_cursor is None


@pytest.mark.parametrize("cursor", ["", "x", "AQ", "!!!!", "AQ" * 12, "é", "Ag" + "A" * 21])
def test_foreign_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_page(ListQuery(cursor=cursor))
    assert refused.value.field == "cursor"


@pytest.mark.parametrize("limit", [1, 2, 3, 500])
async def test_pages_hold_every_item_once(stage: Stage, limit: int) -> None:
    for number in range(5):
        assert (await stage.ask("admin", "POST", "/organizations", {"name": f"o{number}"})).status_code == 201
    names, cursor = [], None
    while True:
        query = f"?limit={limit}" + (f"&cursor={cursor}" if cursor else "")
        page = (await stage.ask("admin", "GET", f"/organizations{query}")).json()
        assert len(page["items"]) <= limit
        names += [line["name"] for line in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert names == ["alpha", "beta", "o0", "o1", "o2", "o3", "o4"]


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "cursor=zzz", "colour=red"])
async def test_wrong_query_is_400_with_its_field(stage: Stage, query: str) -> None:
    answer = await stage.ask("admin", "GET", f"/organizations?{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]
