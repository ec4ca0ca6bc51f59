"""What is remembered of platforms below, on both databases: the first time that a site was seen and proved, and nothing later."""

from datetime import timedelta

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.exchange import Exchange, ExchangeMark, ExchangeState
from keisan.domain.ids import OrganizationId, ProviderId, SiteId
from keisan.domain.site_report import SiteReport
from keisan.kit.ids import create_id
from keisan.storage.base import Storage
from tests.factories import NOW
from tests.letters import NORTH, SOUTH

EVERYTHING = PlatformScope()
NOBODY = (OrganizationScope(OrganizationId(create_id())), ProviderScope(ProviderId(create_id())))
SITE = SiteId(create_id())


async def put(storage: Storage, *reports: SiteReport) -> None:
    async with storage.write() as transaction:
        for report in reports:
            await transaction.site_reports.put(report)


async def list_reports(storage: Storage) -> list[SiteReport]:
    async with storage.read() as view:
        return list(await view.site_reports.list_all(EVERYTHING))


async def test_what_was_noticed_first_stays(storage: Storage) -> None:
    later, latest = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    first = SiteReport(SITE, NORTH, NOW)
    await put(storage, first, SiteReport(SITE, NORTH, later), SiteReport(SITE, SOUTH, later, later))
    assert sorted(await list_reports(storage), key=lambda each: each.seen_at) == [
        first,
        SiteReport(SITE, SOUTH, later, later),
    ]
    await put(storage, SiteReport(SITE, NORTH, latest, later), SiteReport(SITE, NORTH, latest, latest))
    await put(storage, SiteReport(SITE, SOUTH, later, NOW))
    assert {each.reporter_id: (each.seen_at, each.verified_at) for each in await list_reports(storage)} == {
        NORTH: (NOW, later),
        SOUTH: (later, later),
    }


async def test_a_mark_takes_the_place_of_the_one_before(storage: Storage) -> None:
    marks = [
        ExchangeMark(NORTH, Exchange.SUBJECTS, ExchangeState.PARTLY, NOW),
        ExchangeMark(NORTH, Exchange.SUBJECTS, ExchangeState.DONE, NOW + timedelta(hours=1)),
        ExchangeMark(SOUTH, Exchange.SUBJECTS, ExchangeState.NOT_YET, NOW),
    ]
    async with storage.write() as transaction:
        for mark in marks:
            await transaction.exchanges.put(mark)
    async with storage.read() as view:
        assert sorted(await view.exchanges.list_all(EVERYTHING), key=str) == sorted(marks[1:], key=str)


async def test_nobody_else_sees_them(storage: Storage) -> None:
    await put(storage, SiteReport(SITE, NORTH, NOW))
    async with storage.write() as transaction:
        await transaction.exchanges.put(ExchangeMark(NORTH, Exchange.SUBJECTS, ExchangeState.DONE, NOW))
    async with storage.read() as view:
        for scope in NOBODY:
            assert list(await view.site_reports.list_all(scope)) == []
            assert list(await view.exchanges.list_all(scope)) == []
