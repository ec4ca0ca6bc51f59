"""Rows of nodes in a site's frame: each device's own, with the age that it has by then, and of two the newer values.

Rows go by hardware ids, never by numbers: a node's numbers and its site's are different ones.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from keisan.domain.limits import FRAME_DEVICES_MIN
from keisan.domain.sample import FIELD_INDEX, MISSING, SAMPLE_FIELDS, SampleName
from keisan.wire.frame import Numbers, Values

_AGE = FIELD_INDEX[SampleName.AGE_MS]
_AGE_MOST = SAMPLE_FIELDS[_AGE].most
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class NodeRows:
    """What a node told of devices, one column each in the order of `hardware_ids`, as of `sampled_ms`.

    `has_waited` says that the site had no number for them when it was to write them first.
    """

    node: str
    hardware_ids: Sequence[str]
    values: Values
    sampled_ms: int
    has_waited: bool = False


def begin_values(count: int) -> Values:
    """Return the values of so many devices of which nothing is told."""
    return np.full((len(SAMPLE_FIELDS), count), MISSING, np.int32)


def list_places(devices: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Return at which number of the site each (node, device) stands; `devices` are in the order of their numbers."""
    return {device: number for number, device in enumerate(devices)}


def fill_rows(values: Values, places: Mapping[tuple[str, str], int], rows: NodeRows, at_ms: int) -> None:
    """Write rows into a site's values that hold at `at_ms`, in place; those of devices that are not the node's are left out.

    Where a device has told something already it keeps what is not told again, and the greater of both ages: what is older than
    it looks would be worse than what is younger.
    """
    found = [places.get((rows.node, hardware_id), -1) for hardware_id in rows.hardware_ids]
    own = np.array(found, np.int64)
    chosen = np.flatnonzero((own >= 0) & ~find_empty(rows.values))
    place, told = own[chosen], rows.values[:, chosen].astype(np.int32)
    own_age = np.where(told[_AGE] == MISSING, 0, told[_AGE]).astype(np.int64)
    age = np.clip(own_age + max(0, at_ms - rows.sampled_ms), 0, _AGE_MOST)
    known = values[:, place]
    # Nothing is below MISSING, so a device that told nothing before has the newer age.
    told[_AGE] = np.maximum(known[_AGE], age)
    values[:, place] = np.where(told == MISSING, known, told)


def find_unplaced(rows: NodeRows, places: Mapping[tuple[str, str], int]) -> NodeRows | None:
    """Return the rows whose devices have no place yet, None if there are none, or they have waited for one before."""
    columns = [column for column, each in enumerate(rows.hardware_ids) if (rows.node, each) not in places]
    if rows.has_waited or not columns:
        return None
    names = [rows.hardware_ids[column] for column in columns]
    return replace(rows, hardware_ids=names, values=rows.values[:, columns], has_waited=True)


def find_empty(values: Values) -> Flags:
    """Return whose rows tell nothing, or no more than an age."""
    empty: Flags = np.delete(values, _AGE, axis=0).max(axis=0, initial=MISSING) == MISSING
    return empty


def choose_numbers(values: Values) -> Numbers:
    """Return whose rows go into a frame: those that tell something, and beside them as many as a frame must have at least."""
    empty = find_empty(values)
    spare = min(FRAME_DEVICES_MIN, len(empty)) - int(np.count_nonzero(~empty))
    if spare > 0:
        empty[np.flatnonzero(empty)[:spare]] = False
    return np.flatnonzero(~empty).astype(np.uint32)
