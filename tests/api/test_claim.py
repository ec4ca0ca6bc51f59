"""Claims over HTTP: made, replaced, withdrawn; a provider's own."""

from tests.api.stage import Stage


async def test_claim_is_made_replaced_and_withdrawn(stage: Stage) -> None:
    path = f"/sites/{stage.ids['site']}/claims"
    body: dict[str, object] = {"chip": "metax-c600", "device_count": 128, "gflops": {"fp16": 64_000_000}}
    made = await stage.ask("provider", "PUT", path, body)
    assert (made.status_code, made.json()["gflops"], made.json()["memory_bytes"]) == (200, {"fp16": 64_000_000}, None)
    changed = await stage.ask("provider", "PUT", path, body | {"device_count": 64})
    assert (changed.json()["id"], changed.headers["etag"]) == (made.json()["id"], '"2"')
    own = f"/claims/{made.json()['id']}"
    assert (await stage.ask("provider", "DELETE", own)).status_code == 428
    assert (await stage.ask("provider", "DELETE", own, None, {"if-match": '"1"'})).status_code == 412
    assert (await stage.ask("other_provider", "DELETE", own, None, {"if-match": '"2"'})).status_code == 404
    gone = await stage.ask("provider", "DELETE", own, None, {"if-match": '"2"'})
    assert (gone.status_code, gone.json()["device_count"]) == (200, 64)
    assert (await stage.ask("provider", "GET", own)).status_code == 404
    listed = (await stage.ask("provider", "GET", "/claims")).json()["items"]
    assert [claim["id"] for claim in listed] == [str(stage.ids["claim"])]


async def test_table_of_claims_is_taken(stage: Stage) -> None:
    table = b"site,chip,device_count,pflops_fp8\ncellar,nvidia-h20,17,\ncellar,metax-c600,1,1.5\n"
    answer = await stage.ask("provider", "POST", "/claims/upload", table)
    assert answer.json() == {
        "created_count": 1,
        "changed_count": 1,
        "unchanged_count": 0,
        "older_count": 0,
        "deleted_count": 0,
    }
    wrong = await stage.ask("provider", "POST", "/claims/upload", table + b"cellar,nvidia-h20,1,\n")
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (400, "lines[4].chip")


async def test_precision_that_nobody_knows_is_refused(stage: Stage) -> None:
    body = {"chip": "metax-c600", "device_count": 1, "gflops": {"fp17": 1}}
    assert (await stage.ask("admin", "PUT", f"/sites/{stage.ids['site']}/claims", body)).status_code == 400
