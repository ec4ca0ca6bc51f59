"""The values placement decides on: what is wanted, and the nodes it could go to."""

from dataclasses import dataclass

from keisan.domain.device import DeviceUse
from keisan.domain.ids import DeviceId, GrantId, NodeId, ProviderId, SiteId
from keisan.domain.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Request:
    """One copy of a model: the engine it needs, the memory it takes, and the site it must go to (None: any).

    `grant_id` is the grant under which it runs, None for the platform's own work.
    """

    engine: str
    memory_bytes: int
    site_id: SiteId | None
    grant_id: GrantId | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A device of a node: free memory in bytes after all replicas placed on it so far, which `replica_count` counts.

    With `is_remote` the site's executor does not reach its node. `grant_id` is the grant that holds it.
    """

    node_id: NodeId
    device_id: DeviceId
    site_id: SiteId
    provider_id: ProviderId
    chip: str
    engines: frozenset[str]
    memory_free_bytes: int
    replica_count: int
    site_verdict: Verdict
    device_verdict: Verdict
    device_use: DeviceUse
    is_remote: bool = False
    grant_id: GrantId | None = None
