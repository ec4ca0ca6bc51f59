"""The export: a real receiver decodes what the roll-ups say; one that is down, slow or refusing costs a line of the log."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager

import pytest

from keisan.control import telemetry_export
from keisan.control.telemetry import FleetWatch
from keisan.control.telemetry_export import FLEET_FAMILIES, FleetExport
from keisan.control.telemetry_series import list_fleet_series
from keisan.domain.ids import ProviderId
from keisan.domain.roll_up import Level
from keisan.telemetry.reading import RollUpQuery, read_rollups
from keisan.telemetry.series import SeriesTable
from tests.api.conftest import live, stage, stage_template
from tests.api.live_fleet import LiveStage
from tests.control.otlp_receiver import ANSWER_S, OtlpReceiver, run_receiver
from tests.deadline import wait_until_async

__all__ = ["live", "stage", "stage_template"]

PERIOD_S = 0.1


@asynccontextmanager
async def export_to(live: LiveStage, port: int) -> AsyncIterator[FleetExport]:
    stop = asyncio.Event()
    export = FleetExport(live.watch, f"http://127.0.0.1:{port}/otlp/", PERIOD_S, "0.1.0")
    async with asyncio.TaskGroup() as group:
        group.create_task(export.run(stop))
        try:
            yield export
        finally:
            stop.set()


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with run_receiver() as running:
        yield running


def read_power(receiver: OtlpReceiver, **wanted: str) -> list[float]:
    items = {(name.replace("_", "."), text) for name, text in wanted.items()}
    return [value for (name, of), value in receiver.list_series().items() if name == "hw.power" and items <= of]


async def wait_for_next(receiver: OtlpReceiver) -> None:
    seen = len(receiver.requests)
    # The one under way may have been read before.
    await wait_until_async(lambda: len(receiver.requests) >= seen + 2, "two more are handed in")


async def test_receiver_reads_what_the_roll_ups_say(live: LiveStage, receiver: OtlpReceiver) -> None:
    async with export_to(live, receiver.port):
        await wait_until_async(lambda: bool(receiver.requests), "the first is handed in")
    assert set(receiver.paths) == {"/otlp/v1/metrics"}
    sites = read_rollups(live.watch.fleet, RollUpQuery(Level.SITE))
    heard = next(site for site in sites if site.site_id == live.heard.site_id)
    total = heard.sums["power_milliwatts"].total / 1000  # type: ignore[index]  # a StrEnum
    assert read_power(receiver, hw_type="site") == [total]
    assert read_power(receiver, hw_type="region", hw_id="JP-13", region="JP-13") == [total]
    assert read_power(receiver, hw_type="provider", provider="hikari") == [total]
    found = receiver.list_series()
    assert {name for name, _ in found} <= {family.name for family in FLEET_FAMILIES}
    unknown = {
        of
        for (name, of), value in found.items()
        if name == "keisan.verdict" and value == 1 and ("verdict", "unknown") in of
    }
    assert {dict(of)["hw.type"] for of in unknown} == {"region", "provider", "site"}
    (resource,) = receiver.requests[-1].resource_metrics
    described = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert described["service.name"] == "keisan-platform"
    assert described["service.instance.id"] == live.watch.control.platform_id
    kinds = {m.name: (m.WhichOneof("data"), m.unit) for m in resource.scope_metrics[0].metrics}
    assert kinds["hw.power"] == ("gauge", "W")
    assert kinds["hw.gpu.memory.usage"] == ("sum", "By")
    frames = next(m for m in resource.scope_metrics[0].metrics if m.name == "keisan.frames")
    assert frames.sum.is_monotonic


async def test_what_is_not_known_any_more_is_not_exported(live: LiveStage, receiver: OtlpReceiver) -> None:
    async with export_to(live, receiver.port):
        await wait_until_async(lambda: bool(receiver.requests), "the first is handed in")
        assert read_power(receiver, hw_type="site")
        site = live.watch.fleet.sites[live.heard.site_id]
        site.columns.proven_ms[:] -= 60_000
        site.is_changed = True
        live.tick()
        await wait_for_next(receiver)
        names = {name for name, _ in receiver.list_series()}
    assert not names & {"hw.power", "hw.gpu.utilization", "hw.gpu.memory.usage", "keisan.tokens"}
    assert "hw.gpu.memory.limit" in names


async def test_picture_that_comes_while_the_one_before_is_read_is_exported_too(
    live: LiveStage, receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_followed = False

    def list_and_tick(watch: FleetWatch, query: RollUpQuery, providers: Mapping[ProviderId, str]) -> SeriesTable:
        nonlocal is_followed
        table = list_fleet_series(watch, query, providers)
        if not is_followed:
            is_followed = True
            live.feed(power_milliwatts=1000)
            live.tick()
        return table

    monkeypatch.setattr("keisan.control.telemetry_export.list_fleet_series", list_and_tick)
    async with export_to(live, receiver.port):
        await wait_for_next(receiver)
        assert read_power(receiver, hw_type="site") == [4.0]


async def test_nation_is_more_than_a_whole_number_of_64_bits(live: LiveStage, receiver: OtlpReceiver) -> None:
    """Operations of 50,000 devices a second: the encoder takes no such number, and the whole batch would be lost."""
    live.watch.fleet.sites[live.heard.site_id].columns.gflops[0] = 10**10
    live.feed()
    live.tick()
    async with export_to(live, receiver.port):
        await wait_until_async(lambda: bool(receiver.requests), "it is handed in")
    found = {dict(of)["hw.id"]: v for (name, of), v in receiver.list_series().items() if is_nominal(name, of)}
    assert found["JP-13"] == 4 * 10**19


def is_nominal(name: str, of: frozenset[tuple[str, str]]) -> bool:
    return name == "keisan.capacity.operations" and {("hw.type", "region"), ("kind", "nominal")} <= of


async def test_receiver_that_is_down_costs_one_line(live: LiveStage, caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        def count(event: str) -> int:
            return sum(record.getMessage() == event for record in caplog.records)

        with caplog.at_level(logging.INFO):
            async with export_to(live, port):
                await wait_until_async(lambda: count("fleet.not_exported") == 1, "it is told", 20)
                # The API goes on meanwhile.
                assert (await live.scrape()).status_code == 200
                taken.close()
                with run_receiver(port) as receiver:
                    await wait_until_async(lambda: bool(receiver.requests), "it is told as soon as it listens", 20)
                    await wait_until_async(lambda: count("fleet.exported_again") == 1, "and that is told")
                    assert read_power(receiver, hw_type="site") == [1000.5]
                    told = [record.getMessage() for record in caplog.records if "xport" in record.getMessage()]
    assert told == ["fleet.not_exported", "fleet.exported_again"]


@pytest.mark.parametrize("status", [400, 401, 404])
async def test_receiver_that_refuses_is_told_again_next_time(
    live: LiveStage, receiver: OtlpReceiver, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = status
    with caplog.at_level(logging.INFO):
        async with export_to(live, receiver.port):
            await wait_until_async(lambda: len(receiver.paths) >= 4, "each period once more")
            receiver.status = 200
            await wait_until_async(lambda: len(receiver.requests) >= 2, "and then it is taken")
    told = [record.getMessage() for record in caplog.records if "xport" in record.getMessage()]
    assert told == ["fleet.not_exported", "fleet.exported_again"], "once each, however often it is tried"
    assert str(status) in next(
        r.__dict__["fields"]["fault"]
        for r in caplog.records
        if hasattr(r, "fields") and "fault" in r.__dict__["fields"]
    )


async def test_end_waits_for_no_receiver(
    live: LiveStage, receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry_export, "FINISH_MS", 100)
    monkeypatch.setattr(telemetry_export, "EXPORT_TIMEOUT_S", 60)
    receiver.gate.clear()
    async with export_to(live, receiver.port):
        await wait_until_async(lambda: bool(receiver.paths), "it is asked")
        begun_s = live.watch.control.clock.monotonic_s()
    assert live.watch.control.clock.monotonic_s() - begun_s < ANSWER_S / 2
