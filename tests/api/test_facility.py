"""Records of facilities over HTTP: recorded, found by region and day, and handed in as a table."""

from tests.api.stage import Stage

TABLE = "site,measured_at,standard_racks,standard_racks_in_use\ncellar,{day}T00:00:00Z,10,{count}\n"


def write_table(day: str, count: int) -> bytes:
    return TABLE.format(day=day, count=count).encode()


async def test_record_is_shown_with_what_follows_from_it(stage: Stage) -> None:
    path = f"/sites/{stage.ids['site']}/facility"
    body = {"measured_at": "2026-11-22T01:00:00+09:00", "latency_city_us": 5000, "ports": {"400": 2}}
    kept = await stage.ask("provider", "PUT", path, body)
    assert (kept.status_code, kept.headers["etag"]) == (200, '"1"')
    told = kept.json()
    assert (told["day"], told["ports"], told["fill_permille"]) == ("2026-11-21", {"400": 2}, None)
    assert told["rings"] == {"hub": "unknown", "city": "ok", "node": "unknown"}
    latest = (await stage.ask("provider", "GET", path)).json()
    assert (latest["id"], latest["fill_permille"]) == (str(stage.ids["facility"]), 750)


async def test_records_are_found_by_region_and_day(stage: Stage) -> None:
    for day in ("2026-11-01", "2026-11-02"):
        answer = await stage.ask("provider", "POST", "/facilities/upload", write_table(day, 1))
        assert answer.json()["created_count"] == 1, answer.text
    expected = {
        "": 3,
        "?region=JP-13": 3,
        "?region=JP-14": 0,
        "?since=2026-11-02": 2,
        "?until=2026-11-02": 2,
        "?since=2026-11-02&until=2026-11-02": 1,
    }
    for query, count in expected.items():
        listed = await stage.ask("provider", "GET", f"/facilities{query}")
        assert len(listed.json()["items"]) == count, query
        assert (await stage.ask("other_provider", "GET", f"/facilities{query}")).json()["items"] == []
    assert (await stage.ask("provider", "GET", "/facilities?region=Tokyo")).status_code == 400
    page = (await stage.ask("provider", "GET", "/facilities?limit=2")).json()
    rest = (await stage.ask("provider", "GET", f"/facilities?limit=2&cursor={page['next_cursor']}")).json()
    assert (len(page["items"]), len(rest["items"]), rest["next_cursor"]) == (2, 1, None)


async def test_bad_table_is_a_problem_with_a_fault_for_each_place(stage: Stage) -> None:
    table = write_table("2026-11-01", 11) + b"cellar,yesterday,10,1\nharbour,2026-11-01T00:00:00Z,10,1\n"
    refused = await stage.ask("provider", "POST", "/facilities/upload", table)
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (400, "table_invalid")
    assert [fault["field"] for fault in problem["errors"]] == [
        "lines[2].standard_racks_in_use",
        "lines[3].measured_at",
        "lines[4].site",
    ]
    assert problem["errors"][0]["message"] == "expected at most the 10 there are"
    assert problem["detail"].startswith("line 2, standard_racks_in_use: expected at most the 10 there are\nline 3, ")


async def test_table_with_an_idempotency_key_is_taken_once(stage: Stage) -> None:
    headers = {"idempotency-key": "one"}
    table = write_table("2026-11-01", 1)
    first = await stage.ask("provider", "POST", "/facilities/upload", table, headers)
    again = await stage.ask("provider", "POST", "/facilities/upload", table, headers)
    assert (first.json(), again.headers["idempotency-replayed"]) == (again.json(), "true")


async def test_site_without_a_record_has_none(stage: Stage) -> None:
    path = f"/sites/{stage.ids['harbour']}/facility"
    assert (await stage.ask("admin", "GET", path)).status_code == 404
    assert (await stage.ask("provider", "GET", path)).status_code == 404


async def test_figures_out_of_bounds_are_refused(stage: Stage) -> None:
    path = f"/sites/{stage.ids['site']}/facility"
    for wrong in (
        {"latitude_microdegrees": 90_000_001},
        {"ports": {"401": 1}},
        {"address": "=cmd()"},
        {"pue_permille": 999},
        {"racks": 1},
        {"measured_at": "2026-11-20T00:00:00"},
    ):
        answer = await stage.ask("admin", "PUT", path, {"measured_at": "2026-11-20T00:00:00Z"} | wrong)
        assert (answer.status_code, next(iter(wrong)) in answer.text) == (400, True), answer.text
