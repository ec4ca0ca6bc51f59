"""History's Parquet: blocks come back as they were, in row groups that a device can be found by, readable without keisan."""

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from keisan.domain.history import Tier
from keisan.domain.history_column import NULLABLE, ROLL_UP_COLUMNS
from keisan.domain.sample import MISSING
from keisan.storage import history_file
from keisan.storage.base_history import BLOCK_DEVICES, Block, BlockKey, Column
from keisan.storage.history_file import BlockFile, get_schema, read_blocks


def create_block(source: np.random.Generator, key: BlockKey, tier: Tier, count: int) -> Block:
    nullable = {each.name for each in ROLL_UP_COLUMNS if each.statistic in NULLABLE}
    columns: dict[str, Column] = {}
    for field in list(get_schema(tier))[4:]:
        values = source.integers(-1000, 2**31 - 1, count).astype(field.type.to_pandas_dtype())
        if field.nullable or field.name in nullable:
            values[source.random(count) < 0.3] = MISSING
        columns[field.name] = values
    numbers = np.sort(source.integers(0, BLOCK_DEVICES, count)).astype(np.uint32) + key.place * BLOCK_DEVICES
    return Block(key, numbers.astype(np.uint32), np.arange(count, dtype=np.int64), columns)


@pytest.mark.parametrize("tier", Tier)
def test_blocks_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tier: Tier) -> None:
    monkeypatch.setattr(history_file, "ROW_GROUP_ROWS", 500)
    monkeypatch.setattr(history_file, "READ_ROWS", 70)
    source = np.random.default_rng(6)
    keys = [BlockKey("a", "1", 0), BlockKey("a", "1", 3), BlockKey("a", "2", 3), BlockKey("b", "2", 3)]
    blocks = [create_block(source, key, tier, 300) for key in keys]
    file = BlockFile(tmp_path / "x.parquet", tier)
    for each in blocks:
        file.add(each)
    file.close()
    assert file.row_count == 1200
    with pa.OSFile(str(file.path)) as opened:
        found = list(read_blocks(opened))
    assert [each.key for each in found] == keys
    for one, other in zip(blocks, found, strict=True):
        assert np.array_equal(one.numbers, other.numbers)
        assert np.array_equal(one.at_ms, other.at_ms)
        assert set(one.columns) == set(other.columns)
        assert all(np.array_equal(one.columns[name], other.columns[name]) for name in one.columns)
    # Row groups end where blocks do.
    assert pq.ParquetFile(file.path).metadata.num_row_groups == 2


def test_what_is_not_known_is_null_for_everybody(tmp_path: Path) -> None:
    block = create_block(np.random.default_rng(6), BlockKey("a", "1", 0), Tier.SAMPLE, 300)
    file = BlockFile(tmp_path / "x.parquet", Tier.SAMPLE)
    file.add(block)
    file.close()
    text = "SELECT count(*), count(power_milliwatts), sum(power_milliwatts) FROM read_parquet(?)"
    power = block.columns["power_milliwatts"].astype(np.int64)
    known = power[power != MISSING]
    assert duckdb.execute(text, [str(file.path)]).fetchall() == [(300, len(known), known.sum())]
