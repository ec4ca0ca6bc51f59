"""Answers questions to history with DuckDB, in this process: files of a folder directly, objects of S3 by way of Arrow.

Values go in as parameters; only names that this file spells out, or that come out of an enum, go into the text. All sums
are integers, and one that does not fit 64 bits is refused, not rounded.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pd

from keisan.domain.errors import LimitExceeded, StorageUnavailable
from keisan.domain.history import QUERY_ROWS_MAX, Tier
from keisan.domain.history_column import COUNTER, FLAGS, STATISTICS, VERDICTS, Statistic
from keisan.domain.history_question import HistoryGroup, HistoryQuestion
from keisan.domain.sample import SampleName
from keisan.storage.base_history import HistorySelection
from keisan.storage.history_file import get_schema
from keisan.storage.history_store import FolderPlace, HistoryFileStore
from keisan.storage.interruptible import run_interruptible

THREADS_MAX: Final = 2
MEMORY_BYTES_MAX: Final = 1024 * 1024 * 1024
GROUP_COLUMNS: Final = {
    HistoryGroup.DEVICE: ("region", "site", "hardware_id"),
    HistoryGroup.NODE: ("region", "site", "node"),
    HistoryGroup.SUPERNODE: ("region", "site", "supernode"),
    HistoryGroup.SITE: ("region", "site"),
    HistoryGroup.REGION: ("region",),
    HistoryGroup.PLATFORM: (),
}
assert set(GROUP_COLUMNS) == set(HistoryGroup)
# How a statistic of a step is made of those of its parts.
FOLDS: Final = {
    Statistic.MIN: "min({})",
    Statistic.MAX: "max({})",
    Statistic.ANY: "bit_or({})",
    Statistic.FIRST: "arg_min({}, first_ms)",
    Statistic.LAST: "arg_max({}, last_ms)",
} | dict.fromkeys((Statistic.SUM, Statistic.COUNT, Statistic.GROWTH, *VERDICTS), "CAST(sum({}) AS BIGINT)")
assert set(FOLDS) == set(Statistic)
LIMIT: Final = f"LIMIT {QUERY_ROWS_MAX + 1}"
REGION: Final = pa.field("region", pa.utf8())


@dataclass(slots=True)
class HistoryEngine:
    """Reads one selection at a time, with an engine of its own."""

    store: HistoryFileStore
    _engine: duckdb.DuckDBPyConnection | None = field(default=None)

    async def read(self, selection: HistorySelection) -> pa.Table:
        """Return rows in order of time and group; raises LimitExceeded, StorageUnavailable as the contract says."""
        return await run_interruptible(lambda: self._read(selection), self._interrupt)

    def _read(self, selection: HistorySelection) -> pa.Table:
        try:
            with self._open() as engine:
                text, values = self._write(engine, selection)
                # Only names of columns are in the text.
                found: pa.Table = engine.sql(text, params=values).to_arrow_table()
        except duckdb.ConversionException as fault:
            raise LimitExceeded("a sum does not fit 64 bits; ask for shorter steps or fewer devices") from fault
        except duckdb.OutOfMemoryException as fault:
            # Counters are put in order device by device: some millions of rows have no room.
            raise LimitExceeded(
                "the question takes too much memory; ask for fewer devices or a shorter time"
            ) from fault
        except (duckdb.Error, OSError, pa.ArrowException) as fault:
            raise StorageUnavailable("history cannot be read now", str(fault)) from fault
        if len(found) > QUERY_ROWS_MAX:
            raise LimitExceeded(
                f"the answer has more than {QUERY_ROWS_MAX} rows; ask for longer steps or fewer devices"
            )
        return found

    def _interrupt(self) -> None:
        engine = self._engine
        if engine is not None:
            engine.interrupt()

    @contextmanager
    def _open(self) -> Iterator[duckdb.DuckDBPyConnection]:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "threads": THREADS_MAX,
            "memory_limit": f"{MEMORY_BYTES_MAX}B",
            "temp_directory": "",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        }
        with duckdb.connect(":memory:", config=settings) as engine:
            if isinstance(self.store.place, FolderPlace):
                engine.execute("SET allowed_directories = ?", [[self.store.place.root]])
            # Last, for they shut what the others need.
            for closed in ("enable_external_access = false", "lock_configuration = true"):
                engine.execute(f"SET {closed}")
            self._engine = engine
            try:
                yield engine
            finally:
                self._engine = None

    def _write(self, engine: duckdb.DuckDBPyConnection, selection: HistorySelection) -> tuple[str, list[object]]:
        question = selection.question
        values: list[object] = []
        condition, own_values = _limit(selection, self._choose_devices(engine, selection))
        parts = []
        for is_raw in (True, False):
            files = [each.name for each in selection.files if (each.tier is Tier.SAMPLE) is is_raw]
            if files or (not selection.files and is_raw):
                source, names = self._open_source(engine, files, is_raw=is_raw)
                columns = _list_columns(question.fields, is_raw=is_raw)
                parts.append(_write_select(columns, f"FROM {source} WHERE {condition}"))
                values += [*names, *own_values]
        rows = " UNION ALL ".join(parts)
        inner = " JOIN inventory USING (site, incarnation, device)" if question.has_inventory else ""
        return write_question(f"({rows}){inner}", selection), values

    def _open_source(
        self, engine: duckdb.DuckDBPyConnection, names: Sequence[str], *, is_raw: bool
    ) -> tuple[str, list[object]]:
        """Return what stands after FROM, with its parameters."""
        place = self.store.place
        paths = [f"{place.root}/{name}" for name in names]
        if paths and isinstance(place, FolderPlace):
            return "read_parquet(?, hive_partitioning = true, hive_types_autocast = false)", [paths]
        schema = get_schema(Tier.SAMPLE if is_raw else Tier.HOUR).append(REGION)
        name = "samples" if is_raw else "roll_ups"
        if paths:
            engine.register(
                name,
                pd.dataset(paths, schema, "parquet", place.filesystem, partitioning=pd.partitioning(flavor="hive")),
            )
        else:
            engine.register(name, schema.empty_table())
        return name, []

    def _choose_devices(self, engine: duckdb.DuckDBPyConnection, selection: HistorySelection) -> pa.Table | None:
        """Make the inventory known as far as the question is of it; return its rows if that is not all of them."""
        question = selection.question
        if not question.has_inventory:
            return None
        named = {"node": question.node, "hardware_id": question.device, "supernode": question.supernode}
        conditions = [f"{name} = ?" for name, text in named.items() if text is not None]
        engine.register("all_devices", self.store.read_inventories(selection.notes))
        columns = ("site", "incarnation", "device", "hardware_id", "node", "supernode")
        chosen = _write_select(columns, f"FROM all_devices WHERE {' AND '.join(['true', *conditions])}")
        texts = [each for each in named.values() if each is not None]
        found: pa.Table = engine.sql(chosen, params=texts).to_arrow_table()
        engine.register("inventory", found)
        return found if conditions else None


def _limit(selection: HistorySelection, devices: pa.Table | None) -> tuple[str, list[object]]:
    """Return the condition on rows, and its parameters: what lets whole row groups be passed over."""
    plan, question = selection.plan, selection.question
    conditions = ["at_ms >= ?", "at_ms < ?"]
    named: list[object] = [plan.since_ms, plan.until_ms]
    for sites in _list_sites(question, devices):
        conditions.append(f"site IN ({', '.join('?' * len(sites))})" if sites else "false")
        named += sites
    if devices is not None and len(devices):
        bounds = pc.min_max(devices["device"]).as_py()
        conditions.append("device BETWEEN ? AND ?")
        named += [bounds["min"], bounds["max"]]
    return " AND ".join(conditions), named


def _list_sites(question: HistoryQuestion, devices: pa.Table | None) -> Iterator[list[str]]:
    if question.sites is not None:
        yield [str(each) for each in question.sites]
    if devices is not None:
        yield sorted({str(each) for each in devices["site"].unique().to_pylist()})


def _list_columns(fields: Sequence[SampleName], *, is_raw: bool) -> Iterator[str]:
    yield from (
        "region",
        "CAST(site AS VARCHAR) AS site",
        "CAST(incarnation AS VARCHAR) AS incarnation",
        "device",
        "at_ms",
    )
    if is_raw:
        yield from (
            "at_ms AS first_ms",
            "at_ms AS last_ms",
            "1 AS sample_count",
            "CAST(period_ms AS BIGINT) AS covered_ms",
        )
    else:
        yield from ("first_ms", "last_ms", "sample_count", "covered_ms")
    for name in fields:
        for statistic in STATISTICS[name]:
            yield f"{_widen(name, statistic)} AS {name}_{statistic}" if is_raw else f"{name}_{statistic}"


def _widen(name: SampleName, statistic: Statistic) -> str:
    """Return what a statistic is of a single sample."""
    if statistic in VERDICTS:
        return f"CAST(coalesce({name} = {VERDICTS[statistic]}, false) AS INTEGER)"
    match statistic:
        case Statistic.COUNT:
            return f"CAST({name} IS NOT NULL AS INTEGER)"
        case Statistic.SUM:
            return f"CAST(coalesce({name}, 0) AS BIGINT)"
        case Statistic.GROWTH:
            return "CAST(0 AS BIGINT)"
        case _:
            return name


def write_question(rows: str, selection: HistorySelection) -> str:
    """Return the statement over rows; all names are spelled out here or come out of an enum."""
    question, plan = selection.question, selection.plan
    groups = GROUP_COLUMNS[question.group]
    counters = [name for name in question.fields if STATISTICS[name] is COUNTER]
    if plan.step_ms == 0:
        shown = ["at_ms", *groups, *(_show_sample(name) for name in question.fields)]
        return _write_select(shown, f"FROM {rows} ORDER BY {', '.join([*groups, 'at_ms'])} {LIMIT}")
    if counters:
        rows = f"({_write_steps(rows, counters)})"
    columns = [f"at_ms // {plan.step_ms} * {plan.step_ms} AS at_ms", *groups]
    columns += ["CAST(sum(sample_count) AS BIGINT) AS sample_count", "CAST(sum(covered_ms) AS BIGINT) AS covered_ms"]
    columns.append("max(last_ms) AS last_ms")
    for name in question.fields:
        columns += [
            f"{FOLDS[each].format(f'{name}_{each}')} AS {name}_{each}"
            for each in STATISTICS[name]
            if is_shown(each, question)
        ]
    places = ", ".join(str(place + 1) for place in range(1 + len(groups)))
    return _write_select(columns, f"FROM {rows} GROUP BY {places} ORDER BY {places} {LIMIT}")


def _write_select(columns: Iterable[str], rest: str) -> str:
    return f"SELECT {', '.join(columns)} {rest}"


def is_shown(statistic: Statistic, question: HistoryQuestion) -> bool:
    """Tell whether a statistic means anything of a group: what a counter stood at is said of one device only."""
    return question.group is HistoryGroup.DEVICE or statistic not in {Statistic.FIRST, Statistic.LAST}


def _show_sample(name: SampleName) -> str:
    if STATISTICS[name] is COUNTER:
        return f"{name}_{Statistic.FIRST} AS {name}"
    if STATISTICS[name] is FLAGS:
        return f"{name}_{Statistic.ANY} AS {name}"
    if name is SampleName.HEALTH:
        codes = " ".join(f"WHEN {name}_{each} > 0 THEN {code}" for each, code in VERDICTS.items())
        return f"CASE {codes} END AS {name}"
    return f"{name}_{Statistic.MIN} AS {name}"


def _write_steps(rows: str, counters: Sequence[SampleName]) -> str:
    """Return rows in which a counter's growth includes what it rose by since the row before."""
    grown = []
    for name in counters:
        first, last, growth = (f"{name}_{each}" for each in (Statistic.FIRST, Statistic.LAST, Statistic.GROWTH))
        since = f"greatest(0, CAST({first} AS BIGINT) - lag({last} IGNORE NULLS) OVER devices)"
        grown.append(f"{growth} + coalesce({since}, 0) AS {growth}")
    window = "WINDOW devices AS (PARTITION BY site, incarnation, device ORDER BY at_ms, first_ms)"
    return _write_select([f"* REPLACE ({', '.join(grown)})"], f"FROM {rows} {window}")
