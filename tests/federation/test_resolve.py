"""What a name stands for: the issuer's word leads to an id, the id to where the platform is now."""

from dataclasses import replace

import pytest

from keisan.domain.errors import NotFound
from keisan.domain.letter import Letter
from keisan.domain.name import NameType, PlatformName, encode_name
from keisan.federation.resolve import Resolution, resolve_name
from keisan.wire.name import NameBody, encode_body
from tests.federation.tree import Person

ROOT = Person("cn")
SX, HB = ROOT.bear("sx", "CN-SX"), ROOT.bear("hb", "CN-HB")
SITE = PlatformName("cn.sx", NameType.SITE, "taiyuan-1")
LINKS = [ROOT.link(SX), ROOT.link(HB)]


def name(author: Person, text: str, **said: str) -> Letter:
    return author.write("name", text, encode_body(NameBody(platform_id=said.pop("of", author.id), **said)))  # type: ignore[arg-type]  # by name


def ask(asked: PlatformName, *letters: Letter) -> Resolution:
    return resolve_name(asked, ROOT.build_book(LINKS, list(letters)), letters)


def test_a_platform_and_what_it_names_are_found() -> None:
    found = ask(PlatformName("cn.sx", NameType.PLATFORM, "self"), ROOT.vouch(SX, title="Shanxi"))
    assert (found.platform_id, found.title, found.region) == (SX.id, "Shanxi", "CN-SX")
    told = name(SX, encode_name(SITE), target_id="42")
    assert ask(SITE, told).target_id == "42"
    assert ask(SITE, told).told_at_ms == told.made_at_ms


def test_nobody_names_what_is_anothers() -> None:
    for letter in (
        name(HB, encode_name(SITE), target_id="forged"),
        name(SX, encode_name(SITE)),
        SX.write("name", "x", b"no"),
    ):
        with pytest.raises(NotFound, match="no record here tells of it"):
            ask(SITE, letter)
    # Nor does one beside it say whose a prefix is.
    with pytest.raises(NotFound, match="whose the prefix"):
        ask(PlatformName("cn.js", NameType.PLATFORM, "self"), name(HB, "cn.js", of=SX.id))


def test_a_former_prefix_leads_on_by_its_issuers_word() -> None:
    forwarded = name(ROOT, "cn.old", of=SX.id, forward_to="cn.sx")
    found = ask(
        PlatformName("cn.old", NameType.SITE, "taiyuan-1"), forwarded, name(SX, encode_name(SITE), target_id="42")
    )
    assert (found.target_id, found.name) == ("42", encode_name(SITE))
    gone = name(ROOT, "cn.old", of="0" * 64, forward_to="x")
    with pytest.raises(NotFound, match="whose the prefix"):
        ask(PlatformName("cn.old", NameType.PLATFORM, "self"), gone)


def test_one_without_a_prefix_is_called_by_its_id() -> None:
    other = Person("cn.old", parent=ROOT)
    book = ROOT.build_book([replace(ROOT.link(other), prefix="")], [])
    found = resolve_name(PlatformName("cn.old", NameType.PLATFORM, "self"), book, [name(ROOT, "cn.old", of=other.id)])
    assert found.name == other.id
