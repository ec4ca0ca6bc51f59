"""Telemetry over HTTP: what a site hands in is what its provider and the platform's people read, and nobody else."""

from keisan.domain.limits import API_BODY_BYTES_MAX
from keisan.wire.telemetry import FrameCountsList, LiveDeviceList, RollUpList
from tests.api.stage import Stage
from tests.telemetry.fleet import build_frame_body, build_inventory_body


async def open_fleet(stage: Stage) -> None:
    answer = await stage.ask("site", "POST", "/site/inventory", build_inventory_body())
    assert answer.json() == {"incarnation": "first", "version": 1, "device_count": 4}
    answer = await stage.ask("site", "POST", "/site/frame", build_frame_body(sequence=2))
    assert answer.json() == {"outcome": "live"}
    stage.fleet.fleet.roll_up(stage.fleet.read_moment())


async def test_a_frame_is_read_as_sums(stage: Stage) -> None:
    await open_fleet(stage)
    for level in ("platform", "region", "provider", "site"):
        answer = await stage.ask("admin", "GET", f"/telemetry/rollups?level={level}")
        # What is written by hand for speed is what the document says.
        [line] = RollUpList.model_validate_json(answer.content, strict=False).items
        assert (line.level, line.verdict, line.coverage_permille) == (level, "ok", 1000)
        assert line.counts["devices"] == 4
        assert (line.sums["utilization_permille"].total, line.sums["utilization_permille"].mean) == (2000, 500)
        assert (line.sums["power_milliwatts"].devices, line.sums["power_milliwatts"].mean) == (0, None)
        assert line.proven_at is not None
        assert set(answer.json()["items"][0]) == set(type(line).model_fields)


async def test_devices_page_by_page(stage: Stage) -> None:
    await open_fleet(stage)
    path = f"/telemetry/devices?site_id={stage.site.id}&limit=3"
    first = LiveDeviceList.model_validate_json((await stage.ask("provider", "GET", path)).content)
    rest = LiveDeviceList.model_validate_json(
        (await stage.ask("provider", "GET", f"{path}&start={first.next_start}")).content
    )
    assert [device.hardware_id for device in (*first.items, *rest.items)] == [f"device-{n}" for n in range(4)]
    assert (first.next_start, rest.next_start) == (3, None)
    assert first.items[0].values == {"health": 0, "utilization_permille": 500}
    assert first.items[0].supernode is None


async def test_frames_are_counted_by_what_became_of_them(stage: Stage) -> None:
    await open_fleet(stage)
    for body, status in ((build_frame_body(sequence=2), 200), (b"nonsense", 400), (build_frame_body(period_ms=1), 400)):
        assert (await stage.ask("site", "POST", "/site/frame", body)).status_code == status
    answer = await stage.ask("admin", "GET", "/telemetry/frames")
    [line] = FrameCountsList.model_validate_json(answer.content).items
    assert (line.outcomes["live"], line.outcomes["duplicate"]) == (1, 1)
    assert {name: count for name, count in line.faults.items() if count} == {"malformed": 1, "wrong_period": 1}


async def test_an_unknown_inventory_is_told_by_a_code(stage: Stage) -> None:
    answer = await stage.ask("site", "POST", "/site/frame", build_frame_body(incarnation="another"))
    assert (answer.status_code, answer.json()["code"]) == (409, "state_conflict")


async def test_an_oversized_frame_is_refused_before_it_is_read(stage: Stage) -> None:
    answer = await stage.ask("site", "POST", "/site/frame", b"x" * (API_BODY_BYTES_MAX + 1))
    assert answer.status_code == 413


async def test_a_site_that_sends_too_much_is_told_when_to_come_again(stage: Stage) -> None:
    await open_fleet(stage)
    answers = [await stage.ask("site", "POST", "/site/frame", build_frame_body(sequence=3 + n)) for n in range(12)]
    late = [answer for answer in answers if answer.status_code == 429]
    assert 0 < len(late) < 12
    assert {answer.json()["code"] for answer in late} == {"postponed"}
    # It may send three frames in its period of ten seconds.
    assert {int(answer.headers["retry-after"]) for answer in late} <= {1, 2, 3, 4}
    line = (await stage.ask("admin", "GET", "/telemetry/frames")).json()["items"][0]
    assert line["faults"]["over_rate"] == len(late)


async def test_who_sees_what(stage: Stage) -> None:
    await open_fleet(stage)
    seen = {}
    for who in ("admin", "auditor", "provider", "other_provider", "developer", "owner"):
        answer = await stage.ask(who, "GET", "/telemetry/rollups?level=site")
        seen[who] = len(answer.json()["items"]) if answer.status_code == 200 else answer.status_code
    assert seen == {
        "admin": 1,
        "auditor": 1,
        "provider": 1,
        "other_provider": 0,
        "developer": 403,
        "owner": 403,
    }
    hidden = await stage.ask("other_provider", "GET", f"/telemetry/devices?site_id={stage.site.id}")
    assert hidden.status_code == 404
    assert (await stage.ask("other_provider", "GET", "/telemetry/frames")).json() == {"items": []}
    assert (await stage.ask("admin", "GET", "/telemetry/rollups?level=node")).status_code == 400
