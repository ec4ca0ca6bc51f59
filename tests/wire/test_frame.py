"""Frames: what is written is read again, and no bytes do more than be refused."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.errors import InvalidInput
from keisan.domain.sample import MISSING, FrameHead, SampleName
from keisan.wire.arrow import HEAD_KEY
from keisan.wire.frame import decode_frame, encode_frame

HEAD = FrameHead("inventory", 3, 7, 1_700_000_000_000, 10_000, 20, "0123456789abcdef")
HEAD_TEXT = b'{"incarnation":"a","inventory_version":1,"sequence":1,"sampled_at_ms":1,"period_ms":1}'


@st.composite
def draw_values(draw: st.DrawFn) -> np.ndarray:
    count = draw(st.integers(1, 20))
    seed = draw(st.integers(0, 2**32 - 1))
    source = np.random.default_rng(seed)
    values = source.integers(MISSING, 2**31 - 1, (len(SampleName), count), dtype=np.int32)
    values[source.random(values.shape) < draw(st.sampled_from((0.0, 0.3, 1.0)))] = MISSING
    return values


@given(draw_values())
def test_a_frame_is_read_as_it_was_written(values: np.ndarray) -> None:
    numbers = np.arange(values.shape[1], dtype=np.uint32)
    head, found_numbers, found = decode_frame(encode_frame(HEAD, numbers, values))
    assert head == HEAD
    assert np.array_equal(found_numbers, numbers)
    assert np.array_equal(found, values)


@given(st.data())
def test_damaged_frames_are_refused_or_read_and_nothing_else(data: st.DataObject) -> None:
    body = bytearray(encode_frame(HEAD, np.arange(300, dtype=np.uint32), np.zeros((len(SampleName), 300), np.int32)))
    del body[data.draw(st.integers(1, len(body))) :]
    for _ in range(data.draw(st.integers(0, 4))):
        # The messages' own bytes, not the values, are what can lead a reader astray.
        body[data.draw(st.integers(0, min(len(body), 6000) - 1))] = data.draw(st.integers(0, 255))
    try:
        _, numbers, values = decode_frame(bytes(body))
    except InvalidInput:
        return
    assert values.shape == (len(SampleName), len(numbers))


def write(
    columns: dict[str, pa.Array],
    head: bytes = HEAD_TEXT,
    compression: str | None = None,
    version: pa.ipc.MetadataVersion = pa.ipc.MetadataVersion.V5,
    extra: dict[str, str] | None = None,
) -> bytes:
    fields = [pa.field(name, column.type, nullable=column.null_count > 0) for name, column in columns.items()]
    schema = pa.schema(fields, metadata={HEAD_KEY: head})
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression, metadata_version=version)
    with pa.ipc.new_stream(sink, schema, options=options) as writer:
        writer.write_batch(pa.record_batch(list(columns.values()), schema=schema), custom_metadata=extra)
    return bytes(sink.getvalue().to_pybytes())


DEVICES = pa.array([0, 1], pa.uint32())


def test_columns_of_later_versions_are_passed_over_and_missing_ones_are_not_known() -> None:
    _, numbers, values = decode_frame(write({"device": DEVICES, "later": pa.array(["x", "y"])}))
    assert list(numbers) == [0, 1]
    assert (values == MISSING).all()


def test_a_head_of_before_digests_is_read_and_so_is_one_of_later_versions() -> None:
    head, _, _ = decode_frame(write({"device": DEVICES}))
    assert (head.device_count, head.device_digest) == (0, "")
    later, _, _ = decode_frame(write({"device": DEVICES}, head=HEAD_TEXT.replace(b"}", b',"later":[1]}')))
    assert later == head


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "frame"),
        (b"no arrow", "frame"),
        (write({"device": DEVICES}, compression="zstd"), "frame"),
        (write({"device": DEVICES}, compression="zstd", version=pa.ipc.MetadataVersion.V4), "frame"),
        (write({"device": DEVICES}, version=pa.ipc.MetadataVersion.V4), "frame"),
        (write({"device": DEVICES}, extra={"ARROW:experimental_compression": "zstd"}), "frame"),
        (write({"device": DEVICES}, head=HEAD_TEXT.replace(b'"a"', b'"%s"' % (b"a" * 65))), "frame.head"),
        (write({"device": DEVICES}, head=HEAD_TEXT.replace(b'ce":1', b'ce":%d' % 2**62)), "frame.head"),
        (write({"device": DEVICES}, head=b"{}"), "frame.head"),
        (write({"device": DEVICES}, head=HEAD_TEXT.replace(b"}", b',"device_count":-1}')), "frame.head"),
        (
            write({"device": DEVICES}, head=HEAD_TEXT.replace(b"}", b',"device_digest":"%s"}' % (b"a" * 17))),
            "frame.head",
        ),
        (write({"device": DEVICES}, head=HEAD_TEXT.replace(b'ms":1}', b'ms":0}')), "frame.head"),
        (write({"device": DEVICES}, head=HEAD_TEXT.replace(b'ce":1', b'ce":-1')), "frame.head"),
        (write({"health": pa.array([0, 1], pa.int32())}), "frame.device"),
        (write({"device": pa.array([0, 1], pa.int64())}), "frame.device"),
        (write({"device": pa.array([0, None], pa.uint32())}), "frame.device"),
        (write({"device": DEVICES, "health": pa.array([0, 1], pa.int64())}), "frame.health"),
        (write({"device": pa.array(np.arange(70_000, dtype=np.uint32))}), "frame"),
    ],
)
def test_what_is_no_frame_is_refused_by_the_name_of_the_fault(body: bytes, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode_frame(body)
    assert caught.value.field == field
