"""What changed between two roll-ups of a site, in words short enough for an event: how many devices, and the first of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from keisan.domain.roll_up import CountName, judge_group
from keisan.domain.sample import HEALTH_CODES
from keisan.domain.verdict import Verdict
from keisan.telemetry.live_site import LiveSite
from keisan.telemetry.site_columns import Codes

NAMED_DEVICES_MAX = 10


@dataclass(frozen=True, slots=True)
class DeviceChange:
    """So many devices of a site have another verdict now; `hardware_ids` are the first of them."""

    verdict: Verdict
    count: int
    hardware_ids: tuple[str, ...]


def judge_site(site: LiveSite) -> Verdict:
    """Return the verdict on a site's devices as of its last roll-up."""
    counts = site.whole.get_counts(0)
    return judge_group(counts[CountName.OK], counts[CountName.FAILED], counts[CountName.REPORTING])


def list_device_changes(site: LiveSite) -> Iterator[DeviceChange]:
    """Yield the devices that failed, fell silent or came back between the last two roll-ups.

    Those that are heard for the first time are no news, and nor is a site of which nothing is known: that is one change of
    the site, not thousands of devices.
    """
    if judge_site(site) is Verdict.UNKNOWN or len(site.verdicts_before) != len(site.verdicts):
        return
    before, after = site.verdicts_before, site.verdicts
    unknown, failed = HEALTH_CODES[Verdict.UNKNOWN], HEALTH_CODES[Verdict.FAILED]
    yield from _describe(site, Verdict.FAILED, (after == failed) & (before != failed))
    yield from _describe(site, Verdict.OK, (after == HEALTH_CODES[Verdict.OK]) & (before == failed))
    was_known = before != unknown
    yield from _describe(site, Verdict.UNKNOWN, (after == unknown) & was_known & ~site.columns.is_retired)


def _describe(site: LiveSite, verdict: Verdict, is_changed: Codes) -> Iterator[DeviceChange]:
    numbers = np.flatnonzero(is_changed)
    if len(numbers):
        hardware_ids = site.columns.inventory.hardware_ids
        named = tuple(hardware_ids[int(number)].as_py() for number in numbers[:NAMED_DEVICES_MAX])
        yield DeviceChange(verdict, len(numbers), named)
