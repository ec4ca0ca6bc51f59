"""Sites: silence makes a site and its replicas unknown, once, and nothing else of them changes."""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from keisan.control.reconcilers.site import SiteChange, SiteReconciler, SiteState
from keisan.domain.access import PlatformScope
from keisan.domain.replica import Replica, ReplicaState
from keisan.domain.site import Site
from keisan.domain.verdict import Verdict
from keisan.storage.database import Database
from tests.domain.samples import NOW, build_replica, build_site, name_id
from tests.factories import World

SCOPE = PlatformScope()
SILENCE_S = 15.0
RECONCILER = SiteReconciler(SILENCE_S, NOW)
LONG_AFTER = NOW + timedelta(hours=1)
INSTANTS = st.integers(min_value=-60, max_value=60).map(lambda offset_s: NOW + timedelta(seconds=offset_s))
SITES = st.builds(build_site, verdict=st.sampled_from(Verdict), reported_at=st.none() | INSTANTS)
REPLICAS = st.lists(
    st.builds(
        build_replica,
        id=st.integers(min_value=1, max_value=9).map(lambda number: name_id(12, number)),
        state=st.sampled_from(ReplicaState),
        verdict=st.sampled_from(Verdict),
    ),
    max_size=4,
    unique_by=lambda replica: replica.id,
)


@given(site=SITES, replicas=REPLICAS, now=INSTANTS, since=INSTANTS)
def test_silence_changes_verdicts_to_unknown_and_nothing_else(
    site: Site, replicas: list[Replica], now: datetime, since: datetime
) -> None:
    change = SiteReconciler(SILENCE_S, since).decide(SiteState(site, tuple(replicas)), now)
    stored = {replica.id: replica for replica in replicas}
    if change.site is not None:
        assert change.site == replace(site, verdict=Verdict.UNKNOWN, version=site.version + 1)
    else:
        assert change.replicas == ()
    for replica in change.replicas:
        before = stored[replica.id]
        assert before.verdict is Verdict.OK
        assert replica == replace(before, verdict=Verdict.UNKNOWN, version=before.version + 1)


@given(site=SITES, replicas=REPLICAS, now=INSTANTS, since=INSTANTS)
def test_second_look_changes_nothing(site: Site, replicas: list[Replica], now: datetime, since: datetime) -> None:
    reconciler = SiteReconciler(SILENCE_S, since)
    change = reconciler.decide(SiteState(site, tuple(replicas)), now)
    after = {replica.id: replica for replica in (*replicas, *change.replicas)}
    assert reconciler.decide(SiteState(change.site or site, tuple(after.values())), now) == SiteChange(None, ())


@given(site=SITES, now=INSTANTS)
def test_nothing_turns_unknown_before_the_platform_has_listened_long_enough(site: Site, now: datetime) -> None:
    heard = replace(site, reported_at=NOW - timedelta(days=1), verdict=Verdict.OK)
    change = SiteReconciler(SILENCE_S, NOW).decide(SiteState(heard, ()), now)
    assert (change.site is not None) == (now - NOW > timedelta(seconds=SILENCE_S))


def test_failed_replica_of_a_silent_site_stays_failed() -> None:
    state = SiteState(build_site(), (build_replica(verdict=Verdict.FAILED), build_replica(id=name_id(12, 2))))
    change = RECONCILER.decide(state, LONG_AFTER)
    assert [replica.id for replica in change.replicas] == [name_id(12, 2)]


async def test_site_that_is_gone_needs_nothing(storage: Database) -> None:
    async with storage.read() as view:
        assert await RECONCILER.load(view, name_id(6, 9)) is None


async def test_silent_site_is_written_with_its_replicas_event_and_snapshot(storage: Database, world: World) -> None:
    async with storage.read() as view:
        state = await RECONCILER.load(view, world.left.site.id)
        before = (await view.snapshot.get_mark()).version
    assert state is not None
    change = RECONCILER.decide(state, LONG_AFTER)
    async with storage.write() as transaction:
        due_again_at = await RECONCILER.apply(transaction, change, LONG_AFTER)
    assert due_again_at == LONG_AFTER + timedelta(seconds=SILENCE_S / 3)
    async with storage.read() as view:
        sites = {site.id: site.verdict for site in await view.sites.list_all(SCOPE)}
        replicas = {replica.id: replica for replica in await view.replicas.list_by_ids(SCOPE, None)}
        events = await view.events.list(SCOPE, 0, 10)
        changes = await view.snapshot.list_changes(before)
    assert sites == {world.left.site.id: Verdict.UNKNOWN, world.right.site.id: Verdict.OK}
    assert replicas[world.left.replica.id].verdict is Verdict.UNKNOWN
    assert replicas[world.left.replica.id].state is ReplicaState.READY
    assert replicas[world.right.replica.id] == world.right.replica
    assert [(event.action, event.actor) for event in events] == [("site.unknown", "control")]
    assert changes is not None
    assert [change.row_id for change in changes] == [world.left.replica.id]


async def test_quiet_look_writes_nothing_and_comes_again(storage: Database, world: World) -> None:
    async with storage.write() as transaction:
        due_again_at = await RECONCILER.apply(transaction, SiteChange(None, ()), NOW)
    assert due_again_at == NOW + timedelta(seconds=5)
    async with storage.read() as view:
        assert list(await view.events.list(SCOPE, 0, 10)) == []
