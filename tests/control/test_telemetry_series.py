"""What series there are of a fleet: names of providers looked up once, sites with their counts, and who is within whom."""

import pytest

from keisan.control.telemetry_series import (
    capture_site,
    find_parents,
    list_fleet_series,
    list_site_series,
    look_up_providers,
)
from keisan.domain.errors import NotFound
from keisan.domain.roll_up import Level
from keisan.telemetry.reading import RollUpQuery
from keisan.telemetry.series_frame import FRAMES
from tests.api.conftest import live, stage, stage_template
from tests.api.live_fleet import LiveStage
from tests.telemetry.fleet import build_inventory

__all__ = ["live", "stage", "stage_template"]


async def test_names_of_providers_are_read_once(live: LiveStage, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set((await look_up_providers(live.watch)).values()) == {"hikari", "umi"}
    monkeypatch.setattr(live.stage.storage, "read", None)
    assert len(await look_up_providers(live.watch)) == 2


async def test_frames_are_of_the_sites_that_are_asked_for(live: LiveStage) -> None:
    table = list_fleet_series(live.watch, RollUpQuery(Level.REGION, "JP-13"), {})
    frames = [column for column in table.columns if column.family is FRAMES]
    assert {table.owners[owner]["site"] for column in frames for owner in column.owners} == {"cellar"}
    assert [column.values for column in frames if column.extra == {"outcome": "live"}] == [[1]]


async def test_every_series_has_an_owner_and_no_two_are_the_same(live: LiveStage) -> None:
    view = capture_site(live.watch, RollUpQuery(Level.REGION), live.heard.site_id, (0, 100))
    for table in (list_fleet_series(live.watch, RollUpQuery(Level.REGION), {}), list_site_series(view)):
        keys = [
            (column.family.name, frozenset({**table.owners[owner], **column.extra}.items()))
            for column in table.columns
            for owner in column.owners
        ]
        assert len(set(keys)) == len(keys)


async def test_site_of_another_is_not_found(live: LiveStage) -> None:
    for query in (
        RollUpQuery(Level.REGION, None, live.silent.site_id),
        RollUpQuery(Level.REGION, None, None, live.silent.provider_id),
    ):
        with pytest.raises(NotFound):
            capture_site(live.watch, query, live.heard.site_id, (0, 100))


async def test_node_is_in_the_supernode_of_its_devices(live: LiveStage) -> None:
    live.watch.fleet.take_inventory(live.heard, build_inventory([0, 1, 1, 2, 4], [1, -1, 0, -1], incarnation="other"))
    site = live.watch.fleet.sites[live.heard.site_id]
    site_id = str(live.heard.site_id)
    assert find_parents(site) == ("supernode-1", site_id, "supernode-0", site_id, site_id), "the fourth has no device"
