"""Filters: each is one function that gives the reason why a device cannot take a copy, or None if it can.

A new rule is a function here and its place in FILTERS; order is from cheap and common to rare.
"""

from collections.abc import Callable

from keisan.domain.device import DeviceUse
from keisan.domain.engine import CPU_CHIP_PREFIX, CPU_ENGINES
from keisan.domain.verdict import Verdict
from keisan.placement.candidate import Candidate, Request

Filter = Callable[[Request, Candidate], str | None]


def refuse_other_site(request: Request, candidate: Candidate) -> str | None:
    """Keep to the site that the deployment names."""
    if request.site_id is not None and candidate.site_id != request.site_id:
        return "another site is asked for"
    return None


def refuse_other_grant(request: Request, candidate: Candidate) -> str | None:
    """A device that is granted takes work under that grant alone, and such work goes nowhere else."""
    if request.grant_id == candidate.grant_id:
        return None
    return "the device is not of the grant" if request.grant_id is not None else "the device is granted"


def refuse_unproven_site(_: Request, candidate: Candidate) -> str | None:
    """Send no new work where the last proof of life is too old (DESIGN D5)."""
    return None if candidate.site_verdict is Verdict.OK else f"the site is {candidate.site_verdict}"


def refuse_unproven_device(_: Request, candidate: Candidate) -> str | None:
    """Send no new work to a device that is not known to be well."""
    return None if candidate.device_verdict is Verdict.OK else f"the device is {candidate.device_verdict}"


def refuse_closed_device(_: Request, candidate: Candidate) -> str | None:
    """Send no new work to a device that people have closed."""
    return None if candidate.device_use is DeviceUse.OPEN else f"the device is {candidate.device_use}"


def refuse_remote_device(_: Request, candidate: Candidate) -> str | None:
    """Send no work to a node that the site's executor does not reach: its agent only tells."""
    return "the site's executor does not reach the device's node" if candidate.is_remote else None


def refuse_missing_engine(request: Request, candidate: Candidate) -> str | None:
    """The site's agent must be able to start the engine."""
    return None if request.engine in candidate.engines else f"the site has no engine '{request.engine}'"


def refuse_foreign_chip(request: Request, candidate: Candidate) -> str | None:
    """An engine that computes on processors leaves other devices alone: a record must name what it ran on."""
    if request.engine not in CPU_ENGINES or candidate.chip.startswith(CPU_CHIP_PREFIX):
        return None
    return f"the engine '{request.engine}' does not use {candidate.chip}"


def refuse_small_memory(request: Request, candidate: Candidate) -> str | None:
    """The copy must fit into what is left."""
    if request.memory_bytes <= candidate.memory_free_bytes:
        return None
    return f"{candidate.memory_free_bytes} bytes are free, {request.memory_bytes} are needed"


FILTERS: tuple[Filter, ...] = (
    refuse_other_site,
    refuse_other_grant,
    refuse_unproven_site,
    refuse_unproven_device,
    refuse_closed_device,
    refuse_remote_device,
    refuse_missing_engine,
    refuse_foreign_chip,
    refuse_small_memory,
)
