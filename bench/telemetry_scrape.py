"""Question: how long does a scrape of the fleet, or of a site of 4,000 devices, take, how large is it, and what does an export cost?

Method: live columns of 31 regions x 8 sites and of one site, all values known; series made, written and packed in one process.
Reference: prometheus-client's own writer on the same series, in the same run.
Wrong if: the two texts do not hold the same samples, or a scrape holds up the loop for longer than reading its columns.
"""

import argparse
import json
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from statistics import median
from uuid import UUID

import numpy as np
import pyarrow as pa
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector

from keisan.control.telemetry_series import SiteView, find_parents, list_site_series
from keisan.daemon.simulated_fleet import REGIONS
from keisan.domain.ids import ProviderId, SiteId
from keisan.domain.inventory import InventoryHead, SupernodeEntry
from keisan.domain.roll_up import Level
from keisan.domain.sample import FIELD_INDEX, HEALTH_CODES, FrameHead, SampleName
from keisan.domain.verdict import Verdict
from keisan.telemetry.exposition import TextForm, name_family, name_label, write_table
from keisan.telemetry.live import LiveFleet
from keisan.telemetry.live_site import Moment, SitePlace
from keisan.telemetry.reading import RollUpQuery, read_rollups
from keisan.telemetry.series import SeriesKind, SeriesTable
from keisan.telemetry.series_device import capture_devices
from keisan.telemetry.series_frame import list_frame_columns
from keisan.telemetry.series_roll_up import describe_owner, list_rollup_columns
from keisan.wire.inventory import Inventory

NOW = Moment(1_800_000_000_000, 500_000)
REGION_COUNT, SITES_PER_REGION, SITE_DEVICES = 31, 8, 4_000
SMALL_SITE_DEVICES = 512
ROUNDS, QUICK_ROUNDS = 15, 3
NODE_DEVICES, SUPERNODE_DEVICES = 8, 128


@dataclass(frozen=True, slots=True)
class Case:
    """What is scraped: `read` is done on the platform's loop, the rest in a thread."""

    name: str
    read: Callable[[], object]
    build: Callable[[], SeriesTable]


def build_inventory(count: int, name: str) -> Inventory:
    """Return a site's inventory with nodes of 8 and supernodes of 128 devices."""
    numbers = np.arange(count, dtype=np.int32)
    head = InventoryHead(
        incarnation=name,
        version=1,
        nodes=tuple(f"{name}-node-{number}" for number in range(-(-count // NODE_DEVICES))),
        chips=("nvidia-h20",),
        names=("NVIDIA H20",),
        supernodes=tuple(SupernodeEntry(f"{name}-supernode-{n}") for n in range(-(-count // SUPERNODE_DEVICES))),
    )
    return Inventory(
        head,
        pa.array([f"GPU-{UUID(int=number)}" for number in range(count)], pa.utf8()),
        node=numbers // NODE_DEVICES,
        chip=np.zeros(count, np.int32),
        name=np.zeros(count, np.int32),
        supernode=numbers // SUPERNODE_DEVICES,
        memory_mib=np.full(count, 98_304, np.int32),
        is_retired=np.zeros(count, np.bool_),
    )


def add_site(fleet: LiveFleet, number: int, region: str, count: int) -> SiteId:
    """Let a site tell its inventory, and a frame in which every value is known."""
    place = SitePlace(SiteId(UUID(int=number)), ProviderId(UUID(int=10_000 + number % 100)), f"site-{number}", region)
    fleet.take_inventory(place, build_inventory(count, place.name))
    values = np.random.default_rng(number).integers(1, 1000, (len(SampleName), count), np.int32)
    values[FIELD_INDEX[SampleName.HEALTH]] = HEALTH_CODES[Verdict.OK]
    values[FIELD_INDEX[SampleName.AGE_MS]] = 0
    values[FIELD_INDEX[SampleName.THROTTLE_FLAGS]] %= 16
    head = FrameHead(place.name, 1, 1, NOW.wall_ms, 10_000)
    fleet.sites[place.site_id].take(head, np.arange(count, dtype=np.uint32), values, NOW)
    return place.site_id


def open_fleet_case() -> Case:
    """Return the scrape of a nation's roll-ups."""
    fleet = LiveFleet({"nvidia-h20": 148_000})
    for number in range(REGION_COUNT * SITES_PER_REGION):
        add_site(fleet, number, REGIONS[number // SITES_PER_REGION], SMALL_SITE_DEVICES)
    fleet.roll_up(NOW)

    def build() -> SeriesTable:
        levels = (Level.REGION, Level.PROVIDER, Level.SITE)
        rollups = [rollup for level in levels for rollup in read_rollups(fleet, RollUpQuery(level))]
        owners = [describe_owner(rollup, "platform", {}) for rollup in rollups]
        places = [at for at, rollup in enumerate(rollups) if rollup.level is Level.SITE]
        counts = [site.counts for site in fleet.sites.values()]
        columns = [*list_rollup_columns(rollups), *list_frame_columns(counts, len(owners))]
        return SeriesTable([*owners, *(owners[at] for at in places)], columns)

    return Case("fleet", build, build)


def open_site_case() -> Case:
    """Return the scrape of one large site."""
    fleet = LiveFleet({"nvidia-h20": 148_000})
    site_id = add_site(fleet, 1, "CN-SX", SITE_DEVICES)
    fleet.roll_up(NOW)
    site = fleet.sites[site_id]

    def capture() -> SiteView:
        return SiteView(
            place=site.place,
            provider="a provider",
            supernodes=tuple(read_rollups(fleet, RollUpQuery(Level.SUPERNODE, None, site_id))),
            nodes=tuple(read_rollups(fleet, RollUpQuery(Level.NODE, None, site_id))),
            parents=find_parents(site),
            devices=capture_devices(site, NOW, 0, SITE_DEVICES),
            chips={},
        )

    view = capture()
    return Case("site", capture, lambda: list_site_series(view))


def write_packed(table: SeriesTable) -> bytes:
    """Return the text of a table, packed as Prometheus asks for it."""
    packer = zlib.compressobj(1, wbits=31)
    pieces = [packer.compress(piece.encode()) for piece in write_table(table, TextForm.PROMETHEUS)]
    return b"".join([*pieces, packer.flush()])


class Reference(Collector):
    """The same series for prometheus-client."""

    def __init__(self, table: SeriesTable) -> None:
        self._table = table

    def collect(self) -> Iterator[Metric]:
        """Yield the families, built as its documents say."""
        columns = sorted(self._table.columns, key=lambda column: column.family.name)
        for family, group in groupby(columns, lambda column: column.family):
            kind = CounterMetricFamily if family.kind is SeriesKind.COUNTER else GaugeMetricFamily
            metric = kind(name_family(family), family.text)
            ending = "_total" if family.kind is SeriesKind.COUNTER else ""
            for column in group:
                extra = {name_label(name): text for name, text in column.extra.items()}
                for owner, value in zip(column.owners, column.values, strict=True):
                    labels = {name_label(name): text for name, text in self._table.owners[owner].items()}
                    metric.add_sample(metric.name + ending, labels | extra, value)
            yield metric


def write_reference(table: SeriesTable) -> bytes:
    """Return the text as prometheus-client writes it."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Reference(table))
    return bytes(generate_latest(registry))


def export_table(table: SeriesTable) -> int:
    """Let the SDK take all series and encode them; return how many bytes a collector is sent."""
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader], shutdown_on_exit=False).get_meter("bench")
    columns = sorted(table.columns, key=lambda column: column.family.name)
    for family, group in groupby(columns, lambda column: column.family):
        found = [
            Observation(value, {**table.owners[owner], **column.extra})
            for column in group
            for owner, value in zip(column.owners, column.values, strict=True)
        ]
        meter.create_observable_gauge(family.name, [partial(_tell, found)], family.unit)
    told = reader.get_metrics_data()
    assert told is not None
    return len(encode_metrics(told).SerializeToString())


def _tell(found: list[Observation], _: CallbackOptions) -> list[Observation]:
    return found


def measure(work: Callable[[], object], rounds: int) -> list[float]:
    """Return the processor's time of each round in ms, ascending, after one that is not counted."""
    work()
    taken = []
    for _ in range(rounds):
        begun_s = time.process_time()
        work()
        taken.append((time.process_time() - begun_s) * 1000)
    return sorted(taken)


def count_samples(text: bytes) -> dict[str, int]:
    """Return how many samples each name has."""
    found: dict[str, int] = {}
    for family in parse_text(text.decode()):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + 1
    return found


def run_case(case: Case, rounds: int) -> dict[str, object]:
    """Return the figures of a case, times in ms of one core."""
    table = case.build()
    text = "".join(write_table(table, TextForm.PROMETHEUS)).encode()
    if count_samples(text) != count_samples(write_reference(table)):
        raise AssertionError("the two writers do not tell the same samples")
    whole = measure(lambda: write_packed(case.build()), rounds)
    reference = measure(lambda: write_reference(table), max(1, rounds // 3))
    writing = measure(lambda: "".join(write_table(table, TextForm.PROMETHEUS)), rounds)
    return {
        "series": sum(len(column.values) for column in table.columns),
        "text_bytes": len(text),
        "packed_bytes": len(write_packed(table)),
        "on_loop_ms": round(median(measure(case.read, rounds)), 2),
        "n": rounds,
        "p50": round(median(whole), 1),
        "p99": round(whole[-1], 1),
        "spread": round((whole[-1] - whole[0]) / median(whole), 2),
        "writing_ms": round(median(writing), 1),
        "reference_ms": round(median(reference), 1),
        "ratio": round(median(writing) / median(reference), 3),
    }


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    rounds = QUICK_ROUNDS if parser.parse_args().quick else ROUNDS
    fleet, site = open_fleet_case(), open_site_case()
    export = measure(lambda: export_table(fleet.build()), max(1, rounds // 3))
    line = {
        "bench": "telemetry_scrape",
        "unit": "ms",
        "fleet": run_case(fleet, rounds),
        "site": run_case(site, rounds),
        "export": {"p50": round(median(export), 1), "bytes": export_table(fleet.build())},
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
