"""Hands the live roll-ups to a collector (OTLP over HTTP, protobuf) in a thread of the OpenTelemetry SDK, one batch at a time.

What is exported is made when it is asked for, and nothing waits: a collector that is slow or gone costs batches and a line
of the log. Imported only where a collector is named: the SDK takes as long to load as all routes.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from typing import Any

import requests
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.metrics import (
    MeterProvider,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
)
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from keisan.control.telemetry import FleetWatch
from keisan.control.telemetry_series import list_fleet_series, look_up_providers
from keisan.domain.roll_up import Level
from keisan.kit.observe import write_log, write_warning
from keisan.telemetry.live import Picture
from keisan.telemetry.reading import RollUpQuery
from keisan.telemetry.series import Family, SeriesKind, SeriesTable, Value
from keisan.telemetry.series_frame import FRAME_FAMILIES, ROLLED_UP
from keisan.telemetry.series_roll_up import ROLL_UP_SERIES

# Source: OTLP 1.x, "OTLP/HTTP Request".
METRICS_PATH = "/v1/metrics"
EXPORT_TIMEOUT_S = 5
# How long an end waits for the last batch.
FINISH_MS = 2_000
SERIES_MAX = 200_000
INTEGER_END = 2**63
FAULT_CHARACTERS_MAX = 500
SDK_LOGGER = "opentelemetry.exporter.otlp"
FLEET_FAMILIES: tuple[Family, ...] = (
    *dict.fromkeys(series.family for series in ROLL_UP_SERIES),
    *FRAME_FAMILIES,
    ROLLED_UP,
)


class FleetExport:
    """Built once per process by daemon, of the collector's address and how often it is told; `release` is keisan's own."""

    def __init__(self, watch: FleetWatch, url: str, period_s: float, release: str) -> None:
        self._watch = watch
        self._loop = asyncio.get_running_loop()
        self._picture: Picture | None = None
        self._table = SeriesTable((), ())
        exporter = _TellingExporter(
            endpoint=url.rstrip("/") + METRICS_PATH,
            timeout=EXPORT_TIMEOUT_S,
            compression=Compression.Gzip,
            headers={},
            session=_open_session(),
        )
        reader = PeriodicExportingMetricReader(
            exporter,
            export_interval_millis=period_s * 1000,
            export_timeout_millis=EXPORT_TIMEOUT_S * 1000,
            cardinality_limits=dict.fromkeys((ObservableCounter, ObservableGauge, ObservableUpDownCounter), SERIES_MAX),
        )
        resource = Resource(
            {
                "service.name": "keisan-platform",
                "service.version": release,
                "service.instance.id": str(watch.control.platform_id),
            }
        )
        self._provider = MeterProvider([reader], resource, shutdown_on_exit=False)
        meter = self._provider.get_meter("keisan", release)
        for family in FLEET_FAMILIES:
            _observe(meter, family, partial(self._read, family))

    async def run(self, stop: asyncio.Event) -> None:
        """Export until `stop` is set, and then once more if the collector answers at once."""
        try:
            await stop.wait()
        finally:
            await asyncio.to_thread(self._provider.shutdown, FINISH_MS)

    def _read(self, family: Family, _: CallbackOptions) -> Iterable[Observation]:
        """Return a family's series; called in the SDK's thread, while the picture belongs to the loop's."""
        if self._watch.fleet.picture is not self._picture:
            asking: Future[tuple[Picture, SeriesTable]] = asyncio.run_coroutine_threadsafe(
                self._build_table(), self._loop
            )
            try:
                self._picture, self._table = asking.result(EXPORT_TIMEOUT_S)
            except FutureTimeoutError:
                # A loop that is so busy is not asked again for each family.
                asking.cancel()
                self._picture, self._table = self._watch.fleet.picture, SeriesTable((), ())
        table = self._table
        return [
            Observation(_fit_value(value), {**table.owners[owner], **column.extra})
            for column in table.columns
            if column.family is family
            for owner, value in zip(column.owners, column.values, strict=True)
        ]

    async def _build_table(self) -> tuple[Picture, SeriesTable]:
        """Return a table and the picture that it is of: by the time it is taken there may be a newer one."""
        providers = await look_up_providers(self._watch)
        return self._watch.fleet.picture, list_fleet_series(self._watch, RollUpQuery(Level.REGION), providers)


class _LastWords(logging.Handler):
    """Keeps what the SDK says of a try: on its own it would be a line for each."""

    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()[:FAULT_CHARACTERS_MAX]


class _TellingExporter(OTLPMetricExporter):
    """Tells once that a collector takes nothing, and why, and once that it does again."""

    is_away = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._said = _LastWords()
        logger = logging.getLogger(SDK_LOGGER)
        logger.handlers[:] = [self._said]
        logger.propagate = False

    def export(self, metrics_data: MetricsData, *_: object, **__: object) -> MetricExportResult:
        # How long it may take is its own setting, whatever is asked here.
        result = super().export(metrics_data)
        is_away = result is not MetricExportResult.SUCCESS
        if is_away and not self.is_away:
            write_warning("fleet.not_exported", endpoint=self._endpoint, fault=self._said.text)
        elif self.is_away and not is_away:
            write_log("fleet.exported_again", endpoint=self._endpoint)
        self.is_away = is_away
        return result


def _fit_value(value: Value) -> Value:
    """Return a value as OTLP carries it: operations a second of a nation are more than a whole number of 64 bits."""
    return value if -INTEGER_END <= value < INTEGER_END else float(value)


def _open_session() -> requests.Session:
    session = requests.Session()
    # Proxies and credentials of the environment are not this process's settings.
    session.trust_env = False
    return session


def _observe(meter: Meter, family: Family, read: Callable[[CallbackOptions], Iterable[Observation]]) -> None:
    create = {
        SeriesKind.GAUGE: meter.create_observable_gauge,
        SeriesKind.COUNTER: meter.create_observable_counter,
        SeriesKind.UP_DOWN_COUNTER: meter.create_observable_up_down_counter,
    }[family.kind]
    create(family.name, [read], family.unit, family.text)
