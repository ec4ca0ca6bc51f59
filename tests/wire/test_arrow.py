"""Streams of one record batch: the head, and what is not taken."""

import pyarrow as pa
import pytest

from keisan.domain.errors import InvalidInput
from keisan.domain.inventory import SupernodeEntry
from keisan.wire.arrow import explain_arrow, read_batch, take_column, write_batch

BODY = write_batch(SupernodeEntry("a", "b"), [pa.field("number", pa.int32())], [pa.array([1, 2], pa.int32())])


def test_a_batch_is_read_with_its_head() -> None:
    with explain_arrow("thing"):
        head, batch = read_batch(BODY, SupernodeEntry, "thing")
    assert head == SupernodeEntry("a", "b")
    assert take_column(batch, "number", pa.int32(), "thing").to_pylist() == [1, 2]


def test_a_stream_without_a_batch_is_refused() -> None:
    sink = pa.BufferOutputStream()
    schema = pa.schema([], metadata={b"keisan": b'{"name":"a"}'})
    pa.ipc.new_stream(sink, schema).close()
    with pytest.raises(InvalidInput) as caught, explain_arrow("thing"):
        read_batch(sink.getvalue().to_pybytes(), SupernodeEntry, "thing")
    assert caught.value.field == "thing"


def test_a_schema_without_a_head_is_refused() -> None:
    sink = pa.BufferOutputStream()
    pa.ipc.new_stream(sink, pa.schema([])).close()
    with pytest.raises(InvalidInput) as caught, explain_arrow("thing"):
        read_batch(sink.getvalue().to_pybytes(), SupernodeEntry, "thing")
    assert caught.value.field == "thing.head"
