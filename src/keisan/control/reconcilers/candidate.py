"""What placement may choose from, and what must leave: every device of every node, and the replicas on those that are drained."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from keisan.domain.access import PlatformScope
from keisan.domain.device import CLEARED_USES, REMOTE_FACT, Device, DeviceUse
from keisan.domain.ids import DeviceId, ModelId, ReplicaId
from keisan.domain.model import Model
from keisan.domain.replica import Replica
from keisan.domain.site import Site
from keisan.placement.candidate import Candidate
from keisan.storage.base import Transaction


@dataclass(frozen=True, slots=True)
class Places:
    """`leaving` are the replicas on devices that are being drained, or were retired."""

    candidates: tuple[Candidate, ...]
    leaving: frozenset[ReplicaId]


async def load_places(transaction: Transaction) -> Places:
    """Return every device that is not retired as a candidate, with the memory that placed replicas leave free, and who must leave."""
    scope = PlatformScope()
    models = {model.id: model for model in await transaction.models.list_by_ids(scope, None)}
    replicas = await transaction.replicas.list_by_ids(scope, None)
    granted = {
        device_id: grant.id for grant in await transaction.grants.list_holding(scope) for device_id in grant.device_ids
    }
    candidates: list[Candidate] = []
    leaving: set[ReplicaId] = set()
    for site in await transaction.sites.list_all(scope):
        devices = await transaction.devices.list_site(scope, site.id)
        held = hold_replicas(devices, (replica for replica in replicas if replica.site_id == site.id))
        there = (device for device in devices if device.use is not DeviceUse.RETIRED)
        candidates += [
            replace(_build_candidate(site, device, held[device.id], models), grant_id=granted.get(device.id))
            for device in there
        ]
        drained = (device.id for device in devices if device.use in CLEARED_USES)
        leaving |= {replica.id for device_id in drained for replica in held[device_id]}
    return Places(tuple(candidates), frozenset(leaving))


def hold_replicas(devices: Iterable[Device], replicas: Iterable[Replica]) -> dict[DeviceId, list[Replica]]:
    """Return which replicas each device holds.

    One that was placed before devices were told apart is on the device of its node and chip, if that is one alone.
    """
    listed = tuple(devices)
    held: dict[DeviceId, list[Replica]] = {device.id: [] for device in listed}
    for replica in replicas:
        alike = [device for device in listed if (device.node_id, device.chip) == (replica.node_id, replica.chip)]
        device_id = replica.device_id or (alike[0].id if len(alike) == 1 else None)
        if device_id in held:
            held[device_id].append(replica)
    return held


def _build_candidate(site: Site, device: Device, placed: list[Replica], models: Mapping[ModelId, Model]) -> Candidate:
    return Candidate(
        node_id=device.node_id,
        device_id=device.id,
        site_id=site.id,
        provider_id=site.provider_id,
        chip=device.chip,
        engines=frozenset(site.engines),
        memory_free_bytes=device.memory_bytes - sum(models[replica.model_id].facts.memory_bytes for replica in placed),
        replica_count=len(placed),
        site_verdict=site.verdict,
        device_verdict=device.verdict,
        device_use=device.use,
        is_remote=REMOTE_FACT in device.facts,
    )
