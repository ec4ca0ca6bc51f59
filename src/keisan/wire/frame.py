"""A frame on the wire: the samples of a site's devices at one moment.

Columns are `device` (uint32, the dense number of the site's inventory) and one int32 for each field of a sample. What is
null, or has no column, is not known; columns of later versions are passed over.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from keisan.domain.errors import InvalidInput
from keisan.domain.inventory import DEVICE_DIGEST_BYTES, is_incarnation
from keisan.domain.limits import FRAME_DEVICES_MAX
from keisan.domain.sample import FIELD_INDEX, MISSING, FrameHead, SampleName
from keisan.wire.arrow import explain_arrow, read_batch, take_column, write_batch

Numbers = npt.NDArray[np.uint32]
Values = npt.NDArray[np.int32]

# What both databases and Arrow hold with room to count on.
HEAD_NUMBER_END = 2**62
_DEVICE = pa.field("device", pa.uint32(), nullable=False)
_COLUMNS = tuple(pa.field(name, pa.int32()) for name in SampleName)


def encode_frame(head: FrameHead, devices: Numbers, values: Values) -> bytes:
    """Return a frame; `values` is [fields, devices] in the order of SampleName, MISSING where nothing is known.

    A field that is missing for all devices, as dear ones mostly are, has no column.
    """
    fields, columns = [_DEVICE], [pa.array(devices)]
    for field, row in zip(_COLUMNS, values, strict=True):
        missing = row == MISSING
        if not missing.all():
            fields.append(field)
            columns.append(pa.array(row, mask=missing if missing.any() else None))
    return write_batch(head, fields, columns)


def decode_frame(body: bytes) -> tuple[FrameHead, Numbers, Values]:
    """Return head, device numbers and values [fields, devices] of a frame.

    Raises InvalidInput for bytes that are no such frame, that would unpack to more than they are, or hold more than
    FRAME_DEVICES_MAX devices.
    """
    with explain_arrow("frame"):
        head, batch = read_batch(body, FrameHead, "frame")
        counted = (head.inventory_version, head.sequence, head.sampled_at_ms, head.period_ms - 1, head.device_count)
        if min(counted) < 0 or max(counted) >= HEAD_NUMBER_END or not is_incarnation(head.incarnation):
            raise InvalidInput("expected an incarnation, numbers from 0, and a period of at least 1 ms", "frame.head")
        if len(head.device_digest) > DEVICE_DIGEST_BYTES * 2:
            raise InvalidInput("expected a digest of devices", "frame.head")
        if batch.num_rows > FRAME_DEVICES_MAX:
            raise InvalidInput(f"expected at most {FRAME_DEVICES_MAX} devices, got {batch.num_rows}", "frame")
        numbers: Numbers = take_column(batch, "device", pa.uint32(), "frame").to_numpy()
        return head, numbers, _take_values(batch)


def _take_values(batch: pa.RecordBatch) -> Values:
    values = np.full((len(SampleName), batch.num_rows), MISSING, np.int32)
    for position, field in enumerate(batch.schema):
        if field.name not in FIELD_INDEX:
            continue
        column = batch.column(position)
        if field.type != pa.int32() or batch.schema.get_field_index(field.name) != position:
            raise InvalidInput("expected one column of int32", f"frame.{field.name}")
        row = column.fill_null(MISSING) if column.null_count else column
        values[FIELD_INDEX[SampleName(field.name)]] = row.to_numpy()
    return values
