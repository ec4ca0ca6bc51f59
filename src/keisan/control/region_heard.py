"""What platforms below this one told of themselves: read from registers that came by links to children, each as it came last.

Who may speak of what is decided by the key book, never by the letter. Nothing is written here. Belongs to the event loop's thread.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from keisan.control.context import Control
from keisan.control.key_book import BOOK_KINDS, load_key_book
from keisan.control.link_place import load_neighbourhood
from keisan.domain.access import PlatformScope
from keisan.domain.capacity import CapacityKind, CapacityRow
from keisan.domain.errors import InvalidInput
from keisan.domain.ids import LinkId, PlatformId, SiteId
from keisan.domain.letter import Letter, LetterKind
from keisan.domain.limits import REGION_PARTS_MAX, ROLL_UP_STAMP_S_MAX
from keisan.domain.link import LinkSide
from keisan.domain.register import RegisterKey, RegisterPlace
from keisan.domain.roll_up import RollUp
from keisan.federation.key_book import KeyBook
from keisan.kit.clock import from_milliseconds
from keisan.storage.base import Transaction
from keisan.telemetry.live_site import Moment
from keisan.telemetry.region import Hearing, ToldRegion
from keisan.telemetry.region_count import Digests, read_digests
from keisan.wire.name import PLATFORM_REGISTER, read_platform_body
from keisan.wire.region import (
    SUMMARY_REGISTER,
    RowBody,
    ScenarioBody,
    SiteBody,
    SummaryBody,
    build_kinds,
    build_row,
    read_part_body,
    read_rollup,
    read_scenario_body,
    read_site_body,
    read_summary_body,
)

EVERYTHING = PlatformScope()
READ_KINDS = frozenset({LetterKind.ROLL_UP, LetterKind.INVENTORY, LetterKind.SCENARIO})
REGION = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}")
NEVER = Hearing(None, None)
Parts = dict[int, Mapping[str, Digests]]


@dataclass(slots=True)
class HeardPlatform:
    """One platform below this one. `region` is the one that its parent vouches for, empty if it may speak of any.

    `faults` are registers that could not be read, with why.
    """

    id: PlatformId
    hearing: Hearing
    title: str = ""
    region: str = ""
    is_vouched: bool = False
    is_introduced: bool = False
    rollups: dict[str, RollUp] = field(default_factory=dict)
    sites: dict[SiteId, SiteBody] = field(default_factory=dict)
    parts: dict[SiteId, Parts] = field(default_factory=dict)
    summary: SummaryBody | None = None
    scenarios: ScenarioBody | None = None
    faults: dict[str, str] = field(default_factory=dict)

    def may_tell(self, region: str) -> bool:
        """Tell whether it may speak of a region."""
        return region == self.region or (not self.region and REGION.fullmatch(region) is not None)

    def list_regions(self) -> Iterator[ToldRegion]:
        """Yield its regions, without those that it may not speak of."""
        for region, rollup in self.rollups.items():
            if self.may_tell(region):
                yield ToldRegion(self.id, self.title, rollup, self.hearing)

    def list_sites(self) -> Iterator[SiteId]:
        """Yield its sites, without those in regions that it may not speak of."""
        return (site_id for site_id, body in self.sites.items() if self.may_tell(body.region))

    def count_refused(self) -> int:
        """Return how many regions it spoke of without a right to."""
        told = {*self.rollups, *(body.region for body in self.sites.values())}
        return sum(not self.may_tell(region) for region in told)

    def collect_digests(self, site_id: SiteId) -> dict[str, list[Digests]]:
        """Return the digests of a site's devices by chip, of the parts that have come."""
        found: dict[str, list[Digests]] = {}
        part_count = self.sites[site_id].part_count
        for number, part in self.parts.get(site_id, {}).items():
            for chip, digests in part.items() if number < part_count else ():
                found.setdefault(chip, []).append(digests)
        return found

    def is_whole(self, site_id: SiteId) -> bool:
        """Tell whether all parts of a site have come."""
        return set(range(self.sites[site_id].part_count)) <= self.parts.get(site_id, {}).keys()

    def list_rows(self, kind: CapacityKind) -> Iterator[CapacityRow]:
        """Yield rows of a kind of its sites, and of what it surveyed; not of regions that it may not speak of."""
        for site_id in self.list_sites():
            body = self.sites[site_id]
            for row in build_kinds(body.kinds).get(kind, ()):
                yield build_row(row, body.region, site_id)
        surveyed: tuple[RowBody, ...] = ()
        if kind is CapacityKind.SURVEYED and self.summary is not None:
            surveyed = self.summary.surveyed
        yield from (build_row(row, row.region, None) for row in surveyed if self.may_tell(row.region))


@dataclass(slots=True)
class RegionHearing:
    """All platforms below. `is_counted_anew` is set where sites or devices are others than before."""

    control: Control
    platforms: dict[PlatformId, HeardPlatform] = field(default_factory=dict)
    is_counted_anew: bool = True
    _change: int = 0
    _child_links: frozenset[LinkId] = frozenset()
    _book: KeyBook | None = None

    async def hear(self, now: Moment) -> bool:
        """Read what came since; return whether there is a parent to tell. Raises StorageUnavailable."""
        async with self.control.storage.read() as view:
            around = await load_neighbourhood(view)
            children = frozenset(link.id for link in around.links if link.side is LinkSide.CHILD)
            is_moved = children != self._child_links
            places = await view.registers.list_places(EVERYTHING, 0 if is_moved else self._change)
            below = [place for place in places if place.source in children]
            letters = await view.registers.list_letters(EVERYTHING, list(_choose_keys(below)))
            if self._book is None or any(place.line.key.kind in BOOK_KINDS for place in places):
                await self._read_book(view)
        if is_moved:
            # What came by a link that has ended may be gone without a word.
            self._forget()
        change_of = {place.line.key: place.change for place in below}
        for letter in sorted(letters, key=lambda letter: change_of[_get_key(letter)]):
            # Before the first reading everything is old; what is read again is no sign of life.
            self._take(letter, now, is_news=0 < self._change < change_of[_get_key(letter)])
        self._child_links = children
        self._change = max((place.change for place in places), default=self._change)
        self._judge()
        return around.parent is not None

    def list_platforms(self) -> list[HeardPlatform]:
        """Return those that somebody vouches for, in order of their regions and names."""
        found = [platform for platform in self.platforms.values() if platform.is_vouched]
        return sorted(found, key=lambda platform: (platform.region, platform.title, platform.id))

    def list_regions(self) -> list[ToldRegion]:
        """Return the regions of all platforms."""
        return [region for platform in self.list_platforms() for region in platform.list_regions()]

    def _forget(self) -> None:
        """Know nobody's words any more, but when each was heard: they are read anew."""
        self.platforms = {each.id: HeardPlatform(each.id, each.hearing) for each in self.platforms.values()}
        self.is_counted_anew = True

    async def _read_book(self, view: Transaction) -> None:
        self._book = await load_key_book(view, self.control)

    def _take(self, letter: Letter, now: Moment, *, is_news: bool) -> None:
        platform = self.platforms.get(letter.author)
        hearing = _hear(letter, now, is_news=is_news, before=None if platform is None else platform.hearing)
        if platform is None:
            platform = self.platforms[letter.author] = HeardPlatform(letter.author, hearing)
        platform.hearing = hearing
        try:
            self._read(platform, letter)
            platform.faults.pop(letter.name, None)
        except InvalidInput as fault:
            platform.faults[letter.name] = fault.outside

    def _read(self, platform: HeardPlatform, letter: Letter) -> None:
        is_there = not letter.is_deleted
        if letter.kind == LetterKind.PLATFORM:
            platform.is_introduced = is_there
            platform.title = read_platform_body(letter).title if is_there else ""
        elif letter.kind == LetterKind.ROLL_UP:
            platform.rollups.pop(letter.name, None)
            if is_there:
                platform.rollups[letter.name] = read_rollup(letter)
        elif letter.kind == LetterKind.SCENARIO:
            platform.scenarios = read_scenario_body(letter) if is_there else None
        elif letter.name == SUMMARY_REGISTER:
            platform.summary = read_summary_body(letter) if is_there else None
        else:
            self._read_site(platform, letter)

    def _read_site(self, platform: HeardPlatform, letter: Letter) -> None:
        name, _, number = letter.name.partition("/")
        site_id = _parse_site_id(name)
        if not number:
            before = platform.sites.pop(site_id, None)
            if not letter.is_deleted:
                body = platform.sites[site_id] = read_site_body(letter)
                self.is_counted_anew |= before is None or _find_extent(before) != _find_extent(body)
            else:
                self.is_counted_anew = True
            return
        if not number.isdecimal() or int(number) >= REGION_PARTS_MAX:
            raise InvalidInput(f"expected a part from 0 to {REGION_PARTS_MAX - 1}", "letter.name")
        parts = platform.parts.setdefault(site_id, {})
        parts.pop(int(number), None)
        self.is_counted_anew = True
        if not letter.is_deleted:
            body_digests = read_part_body(letter).digests
            parts[int(number)] = {chip: read_digests(digests) for chip, digests in body_digests.items()}

    def _judge(self) -> None:
        """Let those speak who are vouched for, of what they are vouched for; who has said nothing yet is here too."""
        assert self._book is not None
        own = self.control.platform_id
        below = {
            known.id: known
            for known in self._book.platforms.values()
            if known.revoked_at_ms is None and own in self._book.list_path(known.id)[1:]
        }
        for platform_id in below.keys() - self.platforms.keys():
            self.platforms[platform_id] = HeardPlatform(platform_id, NEVER)
        for platform in self.platforms.values():
            known = below.get(platform.id)
            standing = (known is not None, "" if known is None else known.region)
            if standing != (platform.is_vouched, platform.region):
                platform.is_vouched, platform.region = standing
                self.is_counted_anew = True


def _get_key(letter: Letter) -> RegisterKey:
    return RegisterKey(letter.author, letter.kind, letter.name)


def _choose_keys(places: Iterable[RegisterPlace]) -> Iterator[RegisterKey]:
    for place in places:
        key = place.line.key
        if key.kind in READ_KINDS or (key.kind == LetterKind.PLATFORM and key.name == PLATFORM_REGISTER):
            yield key


def _hear(letter: Letter, now: Moment, *, is_news: bool, before: Hearing | None) -> Hearing:
    """Return when a platform was heard last, now that this letter of it is read.

    What was there before this process began, or was signed longer ago than clocks may be wrong, is no sign of life.
    """
    is_old = now.wall_ms - letter.made_at_ms > ROLL_UP_STAMP_S_MAX * 1000
    if is_news and not is_old:
        return Hearing(now.monotonic_ms, from_milliseconds(now.wall_ms))
    if before is not None and before.heard_ms is not None:
        return before
    # A stamp may say anything: none is later than now, or before time began.
    told_at = from_milliseconds(max(0, min(letter.made_at_ms, now.wall_ms)))
    known_at = None if before is None else before.heard_at
    return Hearing(None, told_at if known_at is None else max(told_at, known_at))


def _parse_site_id(text: str) -> SiteId:
    try:
        return SiteId(UUID(text))
    except ValueError as fault:
        raise InvalidInput("expected the id of a site", "letter.name") from fault


def _find_extent(body: SiteBody) -> tuple[str, int, bool]:
    """Return what of a site's word bears on whose it is and what is counted."""
    return (body.region, body.part_count, is_verified(body))


def is_verified(body: SiteBody) -> bool:
    """Tell whether devices of a site are proved."""
    return any(row.device_count for row in body.kinds.get(CapacityKind.VERIFIED, ()))
