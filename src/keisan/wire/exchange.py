"""The five exchanges of a join as the API shows them, and what is counted of each platform below."""

from datetime import datetime
from uuid import UUID

from keisan.domain.capacity import CapacityKind
from keisan.domain.exchange import Exchange, ExchangeState
from keisan.wire.base import WireInput, WireView


class ExchangeQuery(WireInput):
    """Of which platform, all without one."""

    platform_id: str | None = None


class ExchangeView(WireView):
    """How far one exchange is, `since` this platform noticed that, and what is missing, in words."""

    exchange: Exchange
    state: ExchangeState
    since: datetime | None
    missing: tuple[str, ...]


class SharedSiteView(WireView):
    """A site that is not counted as its reporter's, or that many devices of it: they are their owners', who were first.

    `is_whole` says that the site itself is another's.
    """

    site_id: UUID
    owner_ids: tuple[str, ...]
    device_count: int
    is_whole: bool


class SubjectsView(WireView):
    """Organizations and providers; names are null where the platform lets no names go."""

    organization_count: int
    provider_count: int
    organizations: tuple[str, ...] | None
    providers: tuple[str, ...] | None


class ScenarioView(WireView):
    """What compute is used for there: the models deployed for it."""

    name: str
    models: tuple[str, ...]
    deployment_count: int


class PlatformExchanges(WireView):
    """A platform below this one. Null is what it has not told; `device_counts` are of what is counted as its own, by kind.

    `share_ppm` is which share of all devices in what it told is connected, in millionths. `heard_at` is when it was heard last.
    """

    platform_id: str
    name: str
    region: str
    is_heard: bool
    heard_at: datetime | None
    exchanges: tuple[ExchangeView, ...]
    subjects: SubjectsView | None
    models: tuple[str, ...] | None
    engines: tuple[str, ...] | None
    scenarios: tuple[ScenarioView, ...] | None
    site_count: int
    device_counts: dict[CapacityKind, int | None]
    share_ppm: int | None
    shared: tuple[SharedSiteView, ...]
    faults: dict[str, str]


class ExchangeList(WireView):
    """All platforms below, in order of region and name."""

    items: tuple[PlatformExchanges, ...]
