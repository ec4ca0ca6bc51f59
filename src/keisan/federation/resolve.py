"""What a name stands for, from signed records that are kept: also while nobody can be asked, and after a platform has moved.

A prefix leads to a platform's id, by its issuer's word; the id leads to where that platform is now, by the key book.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from keisan.domain.errors import InvalidInput, NotFound
from keisan.domain.ids import PlatformId
from keisan.domain.letter import Letter
from keisan.domain.name import SELF, NameType, PlatformName, encode_name
from keisan.federation.key_book import KeyBook, KnownPlatform
from keisan.wire.name import NameBody, read_name_body


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a name stands for. `name` is what it is called now, which differs from what was asked after a move.

    `target_id` is the id of what is so called at the platform, empty for the platform itself. `path` leads from the platform
    to the topmost that is known. `told_at_ms` is when the record was signed, None for what this platform knows itself.
    """

    name: str
    platform_id: PlatformId
    region: str
    target_id: str
    title: str
    path: tuple[PlatformId, ...]
    is_revoked: bool
    told_at_ms: int | None


def resolve_name(name: PlatformName, book: KeyBook, letters: Iterable[Letter]) -> Resolution:
    """Return what a name stands for, by NAME registers that were checked; raises NotFound where no record tells."""
    records = [(letter, body) for letter in letters if (body := _read(letter)) is not None]
    known, told = _find_holder(name.prefix, book, records)
    now = replace(name, prefix=known.prefix)
    if (name.type, name.suffix) == (NameType.PLATFORM, SELF):
        title = told[1].title if told else ""
        return _describe(now, known, book, (told[0] if told else None, "", title))
    wanted = {encode_name(name), encode_name(now)}
    for letter, body in records:
        if letter.author == known.id and letter.name in wanted and body.target_id:
            return _describe(now, known, book, (letter, body.target_id, body.title))
    raise NotFound(f"{encode_name(name)} is a name of the platform {known.id}, and no record here tells of it")


def _find_holder(
    prefix: str, book: KeyBook, records: list[tuple[Letter, NameBody]]
) -> tuple[KnownPlatform, tuple[Letter, NameBody] | None]:
    """Return who has a prefix, or had it when its issuer last told of it, with that record."""
    issuers = {each.id for each in book.platforms.values() if each.prefix == prefix.rpartition(".")[0]}
    told = next((each for each in records if each[0].name == prefix and each[0].author in issuers), None)
    for known in book.platforms.values():
        if known.prefix == prefix and prefix:
            return known, told
    holder = book.platforms.get(PlatformId(told[1].platform_id)) if told else None
    if holder is None:
        raise NotFound(f"no record here tells whose the prefix {prefix} is")
    return holder, told


def _describe(
    name: PlatformName, known: KnownPlatform, book: KeyBook, told: tuple[Letter | None, str, str]
) -> Resolution:
    letter, target_id, title = told
    return Resolution(
        # The topmost platform has no prefix, and is called by its id.
        name=encode_name(name) if name.prefix else known.id,
        platform_id=known.id,
        region=known.region,
        target_id=target_id,
        title=title,
        path=book.list_path(known.id),
        is_revoked=known.revoked_at_ms is not None,
        told_at_ms=None if letter is None else letter.made_at_ms,
    )


def _read(letter: Letter) -> NameBody | None:
    try:
        return read_name_body(letter)
    except InvalidInput:
        return None
