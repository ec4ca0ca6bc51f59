"""What Prometheus reads: by its own parsers, equal to the roll-ups, absent where nothing is known, and only what one may see."""

import zlib
from typing import Any

import pyarrow as pa
import pytest

from keisan.api.telemetry_scrape import choose_form
from keisan.control.telemetry_export import FLEET_FAMILIES
from keisan.domain.sample import HEALTH_CODES, SampleName
from keisan.domain.verdict import Verdict
from keisan.telemetry.exposition import OPENMETRICS_TYPE, TEXT_TYPE, TextForm, name_series
from keisan.telemetry.series_device import DEVICE_FAMILIES
from keisan.wire.inventory import Inventory
from tests.api.live_fleet import LiveStage
from tests.telemetry.fleet import build_inventory
from tests.telemetry.scrape import read_samples

PROMETHEUS_ACCEPT = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,/;q=0.1"
)


def select_values(text: str, **wanted: str) -> dict[str, float]:
    """Return name -> value of the samples with these labels; each must be there once."""
    found: dict[str, float] = {}
    for sample in read_samples(text):
        if wanted.items() <= sample.labels.items():
            extra = {k: v for k, v in sample.labels.items() if k in EXTRAS}
            name = sample.name + (str(sorted(extra.values())) if extra else "")
            assert name not in found, (name, sample.labels)
            found[name] = sample.value
    return found


EXTRAS = {"verdict", "kind", "quantity", "error_type", "outcome", "fault", "hw_sensor_location", "reason", "hw_state"}


async def test_regions_are_what_the_roll_ups_say(live: LiveStage) -> None:
    answer = await live.scrape()
    assert answer.headers["content-type"] == TEXT_TYPE
    found = select_values(answer.text, hw_type="region", hw_id="JP-13")
    async with live.open_client() as client:
        listed = (await client.get("/rollups?level=region&region=JP-13")).json()["items"]
    (region,) = listed
    sums = region["sums"]
    assert found["hw_power_watts"] == sums["power_milliwatts"]["total"] / 1000 == 1000.5
    assert found["hw_gpu_utilization_ratio"] == sums["utilization_permille"]["mean"] / 1000 == 0.25
    assert found["hw_gpu_memory_usage_bytes"] == 1000 * 2**20
    assert found["hw_gpu_memory_limit_bytes"] == (4 * 1000 + 6) * 2**20
    assert found["keisan_temperature_most_celsius"] == 70.5
    assert found["keisan_temperature_mean_celsius"] == (40 + 50 + 60 + 70.5) / 4
    assert found["keisan_tokens_per_second"] == 100
    assert found["keisan_coverage_ratio"] == 1
    assert found["keisan_devices['ok']"] == region["counts"]["ok"] == 4
    assert found["keisan_devices['failed']"] == found["keisan_devices['unknown']"] == 0
    assert found["keisan_devices_throttled"] == 1
    assert found["keisan_errors['corrected']"] == 6
    assert found["keisan_verdict['ok']"] == 1
    # Two of the four are of a chip that the catalogue knows.
    assert found["keisan_capacity_operations_per_second['nominal']"] == 2 * 148_000 * 10**9
    assert found["keisan_capacity_devices['nominal']"] == 2
    assert found["keisan_devices_known['power']"] == 4
    now_s = live.watch.control.clock.now().timestamp()
    assert abs(found["keisan_proven_timestamp_seconds"] - now_s) < 60


async def test_what_is_not_known_has_no_series(live: LiveStage) -> None:
    """A site that was never heard draws no power that anybody knows of, and is not at 0 watts; nor has anybody measured."""
    text = (await live.scrape()).text
    silent = select_values(text, hw_type="site", hw_id=str(live.silent.site_id))
    assert silent["keisan_devices['unknown']"] == 4
    assert silent["keisan_verdict['unknown']"] == 1
    assert silent["keisan_coverage_ratio"] == 0
    unknown = (
        "hw_power",
        "hw_gpu_util",
        "hw_gpu_memory_usage",
        "keisan_temp",
        "keisan_tokens",
        "keisan_proven",
        "keisan_sampled",
    )
    assert not [name for name in silent if name.startswith((*unknown, "keisan_clock_offset"))]
    assert "keisan_capacity_operations_per_second['measured']" not in silent
    assert silent["hw_gpu_memory_limit_bytes"] > 0, "its inventory tells"
    # Nor does a site keep what it said before it fell silent.
    live.watch.fleet.sites[live.heard.site_id].columns.proven_ms[:] -= 60_000
    live.watch.fleet.sites[live.heard.site_id].is_changed = True
    live.tick()
    cut = select_values((await live.scrape()).text, hw_type="site", hw_id=str(live.heard.site_id))
    assert not [name for name in cut if name.startswith(("hw_power", "hw_gpu_util", "keisan_tokens"))]
    assert "keisan_proven_timestamp_seconds" in cut, "when it was heard last is known"


async def test_site_shows_supernodes_nodes_and_devices(live: LiveStage) -> None:
    site_id = str(live.heard.site_id)
    text = (await live.scrape(query=f"?site_id={site_id}")).text
    verdicts = [sample for sample in read_samples(text) if sample.name == "keisan_verdict"]
    kinds = {sample.labels["hw_id"]: (sample.labels["hw_type"], sample.labels["hw_parent"]) for sample in verdicts}
    assert kinds == {
        "supernode-0": ("supernode", site_id),
        "node-0": ("node", "supernode-0"),
        "node-1": ("node", site_id),
        **{f"device-{number}": ("gpu", f"node-{number // 2}") for number in range(4)},
    }
    places = {(s.labels["region"], s.labels["provider"], s.labels["site"]) for s in verdicts}
    assert places == {("JP-13", "hikari", "cellar")}
    device = select_values(text, hw_id="device-3")
    assert device["hw_power_watts"] == 400
    assert device["hw_temperature_celsius['die']"] == 70.5
    assert "hw_temperature_celsius['memory']" not in device
    assert device["hw_gpu_memory_utilization_ratio"] == pytest.approx(400 / 1003)
    assert device["hw_errors_total['corrected']"] == 3
    assert device["keisan_throttled['heat']"] == 1
    assert device["keisan_throttled['power']"] == 0
    assert device["hw_status['ok']"] == 1
    assert not [name for name in device if name.startswith(("hw_energy", "keisan_io"))], "never told"
    assert select_values(text, hw_id=site_id) == {"keisan_devices_left_out": 0}, "the site is among the fleet's"


async def test_silent_device_has_its_verdict_and_nothing_else(live: LiveStage) -> None:
    site = live.watch.fleet.sites[live.heard.site_id]
    site.columns.proven_ms[2] -= 60_000
    site.is_changed = True
    live.tick()
    found = select_values((await live.scrape(query=f"?site_id={live.heard.site_id}")).text, hw_id="device-2")
    assert found["keisan_verdict['unknown']"] == 1
    known = {name.partition("[")[0] for name in found}
    assert known == {
        "keisan_verdict",
        "keisan_proven_timestamp_seconds",
        "keisan_cordoned",
        "hw_gpu_memory_limit_bytes",
    }


async def test_devices_come_in_parts_and_say_how_many_are_missing(live: LiveStage) -> None:
    text = (await live.scrape(query=f"?site_id={live.heard.site_id}&start=1&limit=2")).text
    devices = {s.labels["hw_id"] for s in read_samples(text) if s.labels["hw_type"] == "gpu"}
    assert devices == {"device-1", "device-2"}
    assert select_values(text, hw_id=str(live.heard.site_id))["keisan_devices_left_out"] == 2


@pytest.mark.parametrize("query", ["", "?site_id={site}"])
async def test_both_forms_are_read_by_their_own_parsers_alike(live: LiveStage, query: str) -> None:
    query = query.format(site=live.heard.site_id)
    text, opened = await live.scrape(query=query), await live.scrape(query=query, accept=PROMETHEUS_ACCEPT)
    assert opened.headers["content-type"] == OPENMETRICS_TYPE
    assert opened.text.endswith("# EOF\n")

    def list_samples(body: str, form: TextForm) -> list[tuple[str, str, dict[str, str], float]]:
        return sorted(((s.kind, s.name, s.labels, s.value) for s in read_samples(body, form)), key=str)

    assert list_samples(text.text, TextForm.PROMETHEUS) == list_samples(opened.text, TextForm.OPENMETRICS)
    units = {sample.family: sample.unit for sample in read_samples(opened.text, TextForm.OPENMETRICS) if sample.unit}
    assert units["hw_power_watts"] == "watts"
    assert set(units.values()) <= {"watts", "bytes", "ratio", "celsius", "seconds", "joules", "hertz", "per_second"}


async def test_every_family_is_told_where_everything_is_known(live: LiveStage) -> None:
    """So that the reference and the dashboard, which are held against the list, name what is really there."""
    everything: dict[str, Any] = dict.fromkeys(SampleName, 1) | {"health": HEALTH_CODES[Verdict.OK]}
    live.watch.fleet.sites[live.heard.site_id].columns.gflops[1] = 5
    live.feed(**everything)
    live.tick()
    fleet = {s.name for s in read_samples((await live.scrape()).text)}
    assert fleet == {name_series(family) for family in FLEET_FAMILIES}
    site = {s.name for s in read_samples((await live.scrape(query=f"?site_id={live.heard.site_id}")).text)}
    assert site >= {name_series(family) for family in DEVICE_FAMILIES}


@pytest.mark.parametrize(
    ("who", "status", "regions"),
    [
        ("admin", 200, {"JP-13", "JP-14"}),
        ("auditor", 200, {"JP-13", "JP-14"}),
        ("provider", 200, {"JP-13"}),
        ("other_provider", 200, {"JP-14"}),
        ("site", 200, {"JP-13"}),
        ("gateway", 403, set()),
        ("owner", 403, set()),
        ("developer", 403, set()),
        ("revoked", 401, set()),
    ],
)
async def test_everybody_reads_their_own_sites_only(live: LiveStage, who: str, status: int, regions: set[str]) -> None:
    answer = await live.scrape(who)
    assert answer.status_code == status, answer.text
    if status == 200:
        samples = list(read_samples(answer.text))
        assert {sample.labels["region"] for sample in samples if "region" in sample.labels} == regions
        hidden = {str(live.heard.site_id), "hikari"} if "JP-13" not in regions else {str(live.silent.site_id), "umi"}
        assert len(regions) == 2 or not [text for text in hidden if text in answer.text]
    for place in (live.heard, live.silent):
        inside = await live.scrape(who, f"?site_id={place.site_id}")
        assert inside.status_code == (status if status != 200 or place.region in regions else 404)


async def test_one_region_is_read_alone(live: LiveStage) -> None:
    text = (await live.scrape(query="?region=JP-14")).text
    assert {s.labels.get("region") for s in read_samples(text)} == {"JP-14", None}
    assert (await live.scrape(query="?region=tokyo")).status_code == 400
    assert (await live.scrape(query="?limit=10001")).status_code == 400


async def test_names_of_others_break_no_line(live: LiveStage) -> None:
    plain = build_inventory([0, 0, 1, 1], [0, -1], incarnation="odd")
    odd = 'a "quoted" \\ name\nkeisan_devices 7'
    ids = pa.array([odd, "b", "c", "d\N{LINE SEPARATOR}e"], pa.utf8())
    fields = {name: getattr(plain, name) for name in ("node", "chip", "name", "supernode", "memory_mib", "is_retired")}
    live.watch.fleet.take_inventory(live.heard, Inventory(plain.head, ids, **fields))
    live.tick()
    for form in TextForm:
        answer = await live.scrape(query=f"?site_id={live.heard.site_id}", accept=form)
        devices = {s.labels["hw_id"] for s in read_samples(answer.text, form) if s.labels["hw_type"] == "gpu"}
        assert devices == {odd, "b", "c", "d\N{LINE SEPARATOR}e"}


async def test_answer_is_packed_for_those_who_ask(live: LiveStage) -> None:
    async with (
        live.open_client() as client,
        client.stream("GET", "/metrics", headers={"accept-encoding": "gzip"}) as answer,
    ):
        packed = b"".join([piece async for piece in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    plain = await live.scrape(**{"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    unpacked = zlib.decompress(packed, 31)
    assert select_values(unpacked.decode(), hw_type="region", hw_id="JP-13")["hw_power_watts"] == 1000.5
    assert len(packed) * 4 < len(unpacked)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", TextForm.PROMETHEUS),
        ("*/*", TextForm.PROMETHEUS),
        ("text/plain;version=0.0.4", TextForm.PROMETHEUS),
        ("application/openmetrics-text", TextForm.OPENMETRICS),
        (PROMETHEUS_ACCEPT, TextForm.OPENMETRICS),
        ("application/openmetrics-text;q=0.1,text/plain;q=0.9", TextForm.PROMETHEUS),
        ("application/openmetrics-text;q=0", TextForm.PROMETHEUS),
        ("application/openmetrics-text;q=many", TextForm.PROMETHEUS),
    ],
)
def test_form_is_the_wanted_one(accept: str, form: TextForm) -> None:
    assert choose_form(accept) is form


async def test_scrapes_beyond_the_limit_wait_and_are_told_so(live: LiveStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keisan.api.telemetry_scrape.SCRAPE_WAIT_S_MAX", 0.05)
    context = live.server.config.app.user_middleware[0].kwargs["context"]  # type: ignore[union-attr]  # the application
    for _ in range(2):
        await context.scrapes.acquire()
    assert (await live.scrape()).status_code == 429
    context.scrapes.release()
    assert (await live.scrape()).status_code == 200
    assert (await live.scrape()).status_code == 200, "a turn is given back"
