"""How exchanges are shown: what was not told is unknown, never nought, and what is another's is said in words."""

from datetime import UTC, datetime
from uuid import uuid4

from keisan.cli.exchange import describe_counts, name_platform, walk_exchanges, walk_shared
from keisan.domain.capacity import CapacityKind
from keisan.domain.exchange import Exchange, ExchangeState
from keisan.domain.ids import SiteId
from keisan.sdk import PlatformExchanges
from keisan.wire.exchange import ExchangeView, SharedSiteView

NOW = datetime(2026, 11, 27, tzinfo=UTC)
ID = "ab" * 32


def build(**changes: object) -> PlatformExchanges:
    lines = (
        ExchangeView(exchange=Exchange.PLATFORM, state=ExchangeState.DONE, since=NOW, missing=()),
        ExchangeView(exchange=Exchange.RESOURCES, state=ExchangeState.PARTLY, since=None, missing=("chips", "sites")),
    )
    given: dict[str, object] = {
        "platform_id": ID,
        "name": "shanxi",
        "region": "CN-SX",
        "is_heard": True,
        "heard_at": NOW,
        "exchanges": lines,
        "subjects": None,
        "models": None,
        "engines": None,
        "scenarios": None,
        "site_count": 2,
        "device_counts": {CapacityKind.CONNECTED: 1_234},
        "share_ppm": None,
        "shared": (),
        "faults": {},
        **changes,
    }
    return PlatformExchanges.model_validate(given)


def test_each_exchange_is_a_row_with_what_is_missing() -> None:
    done, partly = walk_exchanges(build())
    assert done[:4] == ("shanxi", "CN-SX", "platform", "done")
    assert partly[2:] == ("resources", "partly", "now", "chips, sites")


def test_what_was_not_told_is_unknown() -> None:
    row = describe_counts(build())
    assert row == ("shanxi", "2", "unknown", "1,234", "unknown", "unknown", "unknown", "0")


def test_what_is_another_s_and_what_was_not_read_is_said() -> None:
    site_id = SiteId(uuid4())
    shared = SharedSiteView(site_id=site_id, owner_ids=("cd" * 32,), device_count=3, is_whole=False)
    texts = list(walk_shared(build(shared=(shared,), faults={"site": "not a site"})))
    assert texts == [
        f"shanxi, site {site_id}: 3 devices are counted as cdcdcdcdcdcd's",
        "shanxi: site was not read: not a site",
    ]


def test_one_that_has_not_introduced_itself_is_called_by_its_id() -> None:
    assert name_platform(build(name="")) == "abababababab"
